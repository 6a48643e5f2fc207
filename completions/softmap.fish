# Completion of softmap(1) for fish.

# The name is the last column, and has no blanks.
function __softmap_sections
    softmap ls 2>/dev/null | awk 'NR > 1 { print $NF }'
end

complete -c softmap -n __fish_use_subcommand -f -a run -d 'Run a program with its mappings in softmap'
complete -c softmap -n __fish_use_subcommand -f -a lab -d 'Run a script, and show its pages'
complete -c softmap -n __fish_use_subcommand -f -a ls -d 'List the sections'
complete -c softmap -n __fish_use_subcommand -f -a probe -d 'Find out what mmap really does in a directory'
complete -c softmap -n __fish_use_subcommand -f -a recover -d 'Write back what processes left'
complete -c softmap -n __fish_use_subcommand -f -a top -d 'Watch page states'
complete -c softmap -n __fish_use_subcommand -f -a trace -d 'Show a trace'
complete -c softmap -n __fish_use_subcommand -f -a help -d 'Tell about a command'
complete -c softmap -n __fish_use_subcommand -f -s h -l help -d 'Tell about softmap'
complete -c softmap -n __fish_use_subcommand -f -s V -l version -d 'Say the version'

complete -c softmap -n '__fish_seen_subcommand_from help' -f -a 'run probe ls recover top trace lab'

complete -c softmap -n '__fish_seen_subcommand_from run' -l map -x -a 'auto all' -d 'Which files'
complete -c softmap -n '__fish_seen_subcommand_from run' -l tracker -x -a 'auto fault watch compare' -d 'How stores are noticed'
complete -c softmap -n '__fish_seen_subcommand_from run' -l fill -x -a 'auto whole touch' -d 'When pages are read'
complete -c softmap -n '__fish_seen_subcommand_from run' -l coherence -x -a 'full none' -d 'Whether read and write see the mappings'
complete -c softmap -n '__fish_seen_subcommand_from run' -l atomic -d 'A sync is all or nothing'
complete -c softmap -n '__fish_seen_subcommand_from run' -l report -d 'Say what softmap did'
complete -c softmap -n '__fish_seen_subcommand_from run' -l trace -r -F -d 'What happens to the pages goes to a file'
complete -c softmap -n '__fish_seen_subcommand_from run' -l force -d 'Run a static program without softmap'
complete -c softmap -n '__fish_seen_subcommand_from run' -x -a '(__fish_complete_subcommand)'

function __softmap_engines
    softmap lab --list-engines 2>/dev/null | awk '{ print $1 }'
end
complete -c softmap -n '__fish_seen_subcommand_from lab' -s e -l engine -x -a '(__softmap_engines)' -d Engine
complete -c softmap -n '__fish_seen_subcommand_from lab' -s c -l compare-with -x -a '(__softmap_engines)' -d 'Run it on both'
complete -c softmap -n '__fish_seen_subcommand_from lab' -s f -l format -x -a 'text json svg html' -d Output
complete -c softmap -n '__fish_seen_subcommand_from lab' -s g -l grade -d 'Say which broken engines each script exposes'
complete -c softmap -n '__fish_seen_subcommand_from lab' -s l -l list-engines -d 'List the engines'
complete -c softmap -n '__fish_seen_subcommand_from lab' -s h -l help -d 'Tell about lab'

complete -c softmap -n '__fish_seen_subcommand_from ls' -f
complete -c softmap -n '__fish_seen_subcommand_from ls' -s j -l json -d 'Print a JSON array'

complete -c softmap -n '__fish_seen_subcommand_from probe' -f -a '(__fish_complete_directories)'
complete -c softmap -n '__fish_seen_subcommand_from probe' -s j -l json -d 'Print a JSON object'

complete -c softmap -n '__fish_seen_subcommand_from recover' -a '(__softmap_sections)' -d Section
complete -c softmap -n '__fish_seen_subcommand_from recover' -s n -l dry-run -d 'Change nothing'
complete -c softmap -n '__fish_seen_subcommand_from recover' -l discard -d 'Give the dirty pages up'
complete -c softmap -n '__fish_seen_subcommand_from recover' -l save-to -r -F -d 'Copy the contents into a new file'
complete -c softmap -n '__fish_seen_subcommand_from recover' -l as -r -F -d 'Write the dirty pages to this file'
complete -c softmap -n '__fish_seen_subcommand_from recover' -s q -l quiet -d 'Say only what is wrong'

complete -c softmap -n '__fish_seen_subcommand_from trace' -s f -l format -x -a 'text json svg html' -d Output
complete -c softmap -n '__fish_seen_subcommand_from trace' -s h -l help -d 'Tell about trace'

complete -c softmap -n '__fish_seen_subcommand_from top' -a '(__softmap_sections)' -d Section
complete -c softmap -n '__fish_seen_subcommand_from top' -s 1 -l once -d 'Print one frame'
complete -c softmap -n '__fish_seen_subcommand_from top' -s i -l interval -x -d 'How often to look'

complete -c softmap -n '__fish_seen_subcommand_from ls recover run top' -s d -l dir -x -a '(__fish_complete_directories)' -d 'Section directory'
complete -c softmap -n '__fish_seen_subcommand_from ls probe recover run top' -s h -l help -d 'Tell about the command'

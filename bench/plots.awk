# plots.awk - from what bench --json wrote to a script for gnuplot. Rows with an axis are points of curves, in
# units of time; others are bars, in multiples of their floor.

# ---- Reading: bench writes one row a line ----------------------------------------------------

function text(name,   at, rest) {
  at = index($0, "\"" name "\": \"")
  if (!at) return ""
  rest = substr($0, at + length(name) + 5)
  return substr(rest, 1, index(rest, "\"") - 1)
}
function number(name,   at) {
  at = index($0, "\"" name "\": ")
  return at ? substr($0, at + length(name) + 4) + 0 : ""
}
# Into to[1] to to[3], or to[1] and to[2].
function list(name, to,   at, rest) {
  at = index($0, "\"" name "\": [")
  rest = substr($0, at + length(name) + 5)
  split(substr(rest, 1, index(rest, "]") - 1), to, ", ")
}

/"machine": / {
  machine = text("cpus") " processors, " text("kernel")
  disk = text("--dir is on"); memory = text("memory is on")
  rounds = text("rounds")
}
/"ratio": / {
  name = text("group")
  if (!(name in group_of)) {
    group_of[name] = ++groups
    title[groups] = name; unit[groups] = text("unit"); along[groups] = text("along")
  }
  g = group_of[name]
  if (along[g] == "") add_bar(g)
  else {
    if (!((g, number("x")) in tic_seen)) {
      tic_seen[g, number("x")] = 1
      tic = text("x_text"); gsub(/%/, "%%", tic)
      tics[g] = tics[g] (tics[g] == "" ? "" : ", ") "\"" tic "\" " number("x")
      if (x_least[g] == "" || number("x") < x_least[g]) x_least[g] = number("x")
      if (number("x") > x_most[g]) x_most[g] = number("x")
    }
    list("ours_quartiles", q); add_point(g, text("what"), 0)
    list("floor_quartiles", q); add_point(g, text("floor"), 1)
  }
}

function add_bar(g,   i, quartile) {
  i = ++bars[g]
  list("quartiles", quartile); list("ours_quartiles", q); list("floor_quartiles", p)
  label[g, i] = in_words(where(text("what"))); floor[g, i] = text("floor")
  if (i > 1 && floor[g, i] != floor[g, 1]) floors_differ[g] = 1
  ratio = number("ratio")
  if (quartile[2] > most[g]) most[g] = quartile[2]
  if (ratio > most[g]) most[g] = ratio
  if (number("goal") > most[g]) most[g] = number("goal")
  if (least[g] == "" || ratio < least[g]) least[g] = ratio
  bar[g, i] = ratio " " quartile[1] " " quartile[2] " " (number("goal") == "" ? "NaN" : number("goal"))
  if (number("goal") != "") has_goal[g] = 1
  said[g, i] = sprintf(ratio < 0.1 ? "%.2g   (%s, %s)" : "%.2f   (%s, %s)", ratio, time(q[2]), time(p[2]))
}

# Several rows have the same floor at the same x: it was measured once.
function add_point(g, what, is_floor,   s) {
  if (!((g, what) in curve_of)) {
    curve_of[g, what] = ++curves[g]
    curve_name[g, curves[g]] = what; is_floor_of[g, curves[g]] = is_floor
  }
  s = curve_of[g, what]
  if ((g, s, number("x")) in has_point) return
  has_point[g, s, number("x")] = 1
  points[g, s] = points[g, s] number("x") " " q[2] " " q[1] " " q[3] "\n"
  if (q[3] > most[g]) most[g] = q[3]
  if (least[g] == "" || q[1] < least[g]) least[g] = q[1]
}

# ---- Words -----------------------------------------------------------------------------------

function time(us) {
  return us >= 10000 ? sprintf("%.3g ms", us / 1000) : us >= 1000 ? sprintf("%.2f ms", us / 1000) : \
    sprintf("%.3g µs", us)
}
function unit_in_words(unit, scale) {
  sub(/^us\//, "", unit)
  return (scale > 1 ? "milli" : "micro") "seconds a " unit
}
function where(words) {
  sub(/in --dir/, "on " disk, words)
  sub(/in memory/, "on " memory, words)
  return words
}
function heading(title) {
  title = where(title)
  return title ~ /^msync/ ? title : toupper(substr(title, 1, 1)) substr(title, 2)
}
function in_words(curve) {
  return curve ~ /^(fault|watch|compare)$/ ? "softmap, tracker " curve : curve
}
function file_name(title) {
  gsub(/[^A-Za-z0-9]+/, "-", title)
  sub(/-$/, "", title)
  return title
}

# The same curve has the same colour in all pictures (a palette that the colour-blind can tell apart).
function colour(g, s,   name) {
  name = curve_name[g, s]
  if (is_floor_of[g, s]) return "#222222"
  if (name == "fault" || name == "softmap, a section for each thread") return "#4477aa"
  if (name == "watch" || name == "softmap, one section for all") return "#ee6677"
  if (name == "compare") return "#228833"
  return "#aa3377"
}

# ---- Pictures --------------------------------------------------------------------------------

function begin_picture(g, height) {
  print "reset"
  print "set terminal svg size 1060," height " font \"sans,13\" background \"white\" noenhanced"
  print "set output \"" out "/" file_name(title[g]) ".svg\""
  print "set label 1 \"" heading(title[g]) "\" at screen 0.5,screen 1 offset 0,-1.2 center font \",16\""
  print "set label 2 \"" machine "; medians of " rounds (rounds == 1 ? " round" : " rounds") ", with their quartiles\" " \
    "at screen 0.5,screen 1 offset 0,-2.5 center font \",11\" tc rgb \"#555555\""
  print "set tmargin 4.5"
  print "set border lc rgb \"#888888\""
  print "set tics textcolor rgb \"#222222\""
}

function draw_bars(g,   i, low, is_log, plot) {
  begin_picture(g, 200 + bars[g] * (floors_differ[g] ? 44 : 32))
  is_log = most[g] > 12
  if (most[g] < 1) most[g] = 1
  low = is_log ? (least[g] < 1 ? least[g] : 1) / 2 : 0
  print "$bars << END"
  for (i = 1; i <= bars[g]; i++) print -i, bar[g, i]
  print "END"
  printf "set ytics ("
  for (i = 1; i <= bars[g]; i++)
    printf "%s\"%s%s\" %d", (i > 1 ? ", " : ""), label[g, i],
      (floors_differ[g] ? "\\n(floor: " floor[g, i] ")" : ""), -i
  print ") scale 0"
  for (i = 1; i <= bars[g]; i++)
    print "set label " (i + 2) " \"" said[g, i] "\" at graph 1, first " (-i) " offset 1,0 left font \",11\""
  print "set rmargin 30"
  print "set xlabel \"time, as a multiple of the floor" (is_log ? " (logarithmic)" : "") \
    (floors_differ[g] ? "" : ": " floor[g, 1]) \
    "\\nin brackets: the two times, a " substr(unit[g], 4) "\""
  print "set yrange [" (-bars[g] - 0.6) ":" (-0.4) "]"
  if (is_log) print "set logscale x"
  print "set xrange [" low ":" most[g] * (is_log ? 1.5 : 1.1) "]"
  print "set grid xtics lc rgb \"#dddddd\" lt 1"
  print "set style fill solid 1 noborder"
  print "set arrow from 1,graph 0 to 1,graph 1 nohead front lc rgb \"#222222\" dt 2"
  print "set bmargin 6"
  print "set key at screen 0.5,screen 0 bottom center horizontal maxrows 1"
  plot = "plot $bars using 2:1:(" low "):2:($1-0.3):($1+0.3) with boxxyerror lc rgb \"#88aacc\" title \"median\""
  plot = plot ", \"\" using 3:1:($4-$3):(0) with vectors nohead lw 2 lc rgb \"#222222\" " \
    "title \"first to third quartile\""
  if (has_goal[g])
    plot = plot ", \"\" using 5:($1-0.4):(0):(0.8) with vectors nohead lw 3 lc rgb \"#cc3311\" title \"goal\""
  print plot ", NaN with lines lc rgb \"#222222\" dt 2 title \"the floor\""
}

function draw_curves(g,   s, is_log_x, floors, scale) {
  scale = most[g] > 20000 ? 1000 : 1
  begin_picture(g, 520)
  is_log_x = x_most[g] / x_least[g] >= 8
  for (s = 1; s <= curves[g]; s++) printf "$curve%d << END\n%sEND\n", s, points[g, s]
  print "set xtics (" tics[g] ")"
  print "set xlabel \"" along[g] "\""
  print "set ylabel \"" unit_in_words(unit[g], scale) "\""
  if (is_log_x) print "set logscale x; set xrange [" x_least[g] / 1.4 ":" x_most[g] * 1.4 "]"
  else print "set xrange [" x_least[g] - 0.3 ":" x_most[g] + 0.3 "]"
  if (most[g] > least[g] * 8)
    print "set logscale y; set format y \"%g\"; set mytics 10; set yrange [" least[g] / 1.3 / scale ":" \
      most[g] * 1.3 / scale "]"
  else
    print "set yrange [0:" most[g] * 1.1 / scale "]"
  print "set grid xtics ytics mytics lc rgb \"#cccccc\" lt 1, lc rgb \"#eeeeee\" lt 1"
  print "set key outside right top vertical Left reverse samplen 3 spacing 1.3 font \",12\""
  for (s = 1; s <= curves[g]; s++)
    if (!is_floor_of[g, s]) draw_curve(g, s, scale, "dt 1 pt 7", "")
  for (s = 1; s <= curves[g]; s++)
    if (is_floor_of[g, s]) draw_curve(g, s, scale, ++floors == 1 ? "dt 2 pt 6" : "dt 3 pt 4", " (the floor)")
  print ""
}

# Lines, and the quartiles of each point.
function draw_curve(g, s, scale, style, what,   look) {
  look = "lc rgb \"" colour(g, s) "\" "
  printf "%s $curve%d using 1:($2/%d) with linespoints lw 2 ps 0.7 %s %s title \"%s%s\"",
    has_plot[g]++ ? "," : "plot", s, scale, look, style, in_words(curve_name[g, s]), what
  printf ", \"\" using 1:($3/%d):(0):(($4-$3)/%d) with vectors nohead lw 1 %s notitle", scale, scale, look
}

END {
  if (!groups) { print "plots: no rows" >"/dev/stderr"; exit 1 }
  for (g = 1; g <= groups; g++)
    if (along[g] == "") draw_bars(g)
    else draw_curves(g)
}

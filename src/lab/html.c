/* html.c - a recording as one page: the timeline, and a slider through the steps.  Nothing is fetched. */
#include <stdlib.h>

#include "lab/output.h"
#include "lab/table.h"
#include "tool/tool.h"

static const char head[] =
    "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'>\n"
    "<meta name='viewport' content='width=device-width'>\n"
    "<link rel='icon' href='data:,'>\n"
    "<style>\n"
    "body{font-family:'DejaVu Sans',Verdana,Helvetica,Arial,sans-serif;color:#22303c;margin:0;"
    "background:#f4f6f8}\n"
    "main{max-width:1280px;margin:auto;padding:16px}\n"
    ".card{background:#fff;border-radius:8px;box-shadow:0 1px 4px #0002;padding:12px;"
    "margin-bottom:14px;overflow-x:auto}\n"
    ".card svg{max-width:100%;height:auto;display:block}\n"
    ".bar{display:flex;gap:12px;align-items:center}\n"
    ".bar input{flex:1}button{font:inherit;padding:4px 12px}\n"
    "pre{font-family:'DejaVu Sans Mono',Menlo,Consolas,monospace;font-size:14px;margin:0;"
    "min-height:11em;line-height:1.4}\n"
    "</style>\n";

static const char script[] =
    "<script>\n"
    "'use strict';\n"
    "const "
    "steps=[...document.querySelectorAll('pre.step')],slider=document.getElementById('slider');\n"
    "const now=document.getElementById('now'),first=Number(now.getAttribute('x'));\n"
    "const width=Number(now.getAttribute('width'));\n"
    "function show(i){\n"
    "  i=Math.max(0,Math.min(steps.length-1,i));slider.value=i;\n"
    "  steps.forEach((step,k)=>{step.hidden=k!==i;});\n"
    "  const column=Number(steps[i].dataset.column);\n"
    "  now.setAttribute('visibility',column<0?'hidden':'visible');\n"
    "  now.setAttribute('x',first+width*column);\n"
    "  document.getElementById('count').textContent=(i+1)+' / '+steps.length;\n"
    "}\n"
    "slider.addEventListener('input',()=>show(Number(slider.value)));\n"
    "document.getElementById('back').addEventListener('click',()=>show(Number(slider.value)-1));\n"
    "document.getElementById('on').addEventListener('click',()=>show(Number(slider.value)+1));\n"
    "show(Number(location.hash.slice(1))-1||0);\n"
    "</script>\n";

static void
put_step(const struct recording *recording, size_t i, int column) {
  char *text = NULL;
  size_t len = 0;
  FILE *out = need(open_memstream(&text, &len));
  output_frame(out, recording->script, &recording->frames[i], NULL, false);
  if (recording->frames[i].step->verb >= VERB_EXPECT_OK) {
    char *table = table_text(recording->script, &recording->frames[i], 12, false);
    (void)fputs(table, out);
    free(table);
  }
  (void)fclose(out);
  (void)printf("<pre class='step' data-column='%d'%s>", column, i ? " hidden" : "");
  put_escaped(stdout, need(text));
  (void)fputs("</pre>\n", stdout);
  free(text);
}

void
output_html(const struct recording *recording) {
  const char *title = recording->script->title ? recording->script->title : "softmap lab";
  int column = -1;
  (void)fputs(head, stdout);
  (void)fputs("<title>", stdout);
  put_escaped(stdout, title);
  (void)fputs("</title></head>\n<body><main>\n<div class='card'>\n", stdout);
  svg_timeline(stdout, recording);
  (void)printf("</div>\n<div class='card'><div class='bar'><button id='back'>&#8592;</button>"
               "<input id='slider' type='range' min='0' max='%zu' value='0' aria-label='step'>"
               "<button id='on'>&#8594;</button><span id='count'></span></div></div>\n"
               "<div class='card'>\n",
               recording->n ? recording->n - 1 : 0);
  for (size_t i = 0; i < recording->n; i++) {
    column += recording->frames[i].step->verb < VERB_EXPECT_OK;
    put_step(recording, i, column);
  }
  (void)fputs("</div>\n</main>\n", stdout);
  (void)fputs(script, stdout);
  (void)fputs("</body></html>\n", stdout);
}

//go:build explore

package explore

import (
	"html/template"
	"io"
	"path/filepath"
)

// Page writes the report as one self-contained page.
func (r *report) Page(w io.Writer) error { return page.Execute(w, r) }

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"base":  filepath.Base,
	"times": func(n int) []struct{} { return make([]struct{}, n) },
	"after": func(n, i int) []struct{} { return make([]struct{}, n-i-1) },
}).Parse(`<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Test}}: a failing schedule</title>
<style>
:root { color-scheme: light dark; --line: #d0d7de; --soft: #57606a; --mark: #fff8c5; --bad: #cf222e }
@media (prefers-color-scheme: dark) { :root { --line: #30363d; --soft: #8b949e; --mark: #3b2e00; --bad: #ff7b72 } }
body { font: 15px/1.45 system-ui, sans-serif; margin: 1rem auto; max-width: 90rem; padding: 0 1rem }
h1 { font-size: 1.2rem; overflow-wrap: anywhere } pre, code, td { font: 13px/1.4 ui-monospace, monospace }
pre { white-space: pre-wrap; overflow-wrap: anywhere } .error { color: var(--bad) }
.wide { overflow: auto; max-height: 90vh } table { border-collapse: collapse; min-width: 100% }
th, td { border: 1px solid var(--line); padding: .2rem .5rem; text-align: left; vertical-align: top }
th { position: sticky; top: 0; background: Canvas; font-size: 13px } td.step, td.why { color: var(--soft) }
td.on { background: var(--mark); white-space: nowrap } td:last-child { min-width: 14rem }
details pre { margin: .2rem 0; color: var(--soft); white-space: pre; tab-size: 4 } summary { cursor: pointer }
@media (max-width: 40rem) { th, td { padding: .15rem .3rem } th, td, code, pre { font-size: 11px } h1 { font-size: 1rem } }
</style>
<h1>{{.Test}}: a failing schedule</h1>
<pre class="error">{{.Error}}</pre>
<p>{{.How}}. To run it again:</p>
<pre>{{.Replay}}</pre>
<div class="wide"><table>
<tr><th>step{{range .Threads}}<th>{{.}}{{end}}<th>where
{{$n := len .Threads}}{{range .Rows}}{{if .Switch}}<tr><td><td class="why" colspan="{{$n}}">{{.Switch}}<td>
{{end}}<tr><td class="step">{{if .Step}}{{.Step}}{{end}}{{range times .Thread}}<td>{{end}}<td class="on">{{.Text}}{{if .Value}} <b>{{.Value}}</b>{{end}}{{range after $n .Thread}}<td>{{end}}<td>{{if .File}}<details><summary>{{base .File}}:{{.Line}} <code>{{.Source}}</code></summary><pre>{{range .Stack}}{{.Function}}
	{{.File}}:{{.Line}}
{{end}}</pre></details>{{end}}
{{end}}</table></div>
</html>
`))

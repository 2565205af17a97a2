package eval

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"
)

// TestHostileModules evaluates what a whole module can do beside one expression: locals that build upon each other, templates that read
// themselves, what stands in JSON. Each ends, with a mistake.
func TestHostileModules(t *testing.T) {
	doubling := func(first, each string) string {
		var b strings.Builder
		fmt.Fprintf(&b, "locals {\n  l0 = %s\n", first)
		for i := range 60 {
			fmt.Fprintf(&b, "  l%d = %s\n", i+1, strings.ReplaceAll(each, "L", fmt.Sprintf("local.l%d", i)))
		}
		return b.String() + "  x = local.l60\n}\n"
	}
	local := func(expr string) string { return "locals {\n  x = " + expr + "\n}\n" }
	nest := func(n int, before, inner, after string) string {
		return strings.Repeat(before, n) + inner + strings.Repeat(after, n)
	}
	thousand := strings.Repeat("0,", 999) + "0"
	for name, src := range map[string]string{
		"doubled text":       doubling(`"xxxxxxxxxxxxxxxx"`, `"${L}${L}"`),
		"doubled list":       doubling(`[1]`, `[L, L]`),
		"doubled object":     doubling(`{ a = 1 }`, `{ a = L, b = L }`),
		"concat":             doubling(`[1]`, `concat(L, L)`),
		"squared":            doubling(`2`, `L * L`),
		"power":              local(`pow(pow(10, 300), pow(10, 300))`),
		"split":              local(`[for a in range(1000) : split("", join("", [for b in range(1000) : "xxxx"]))]`),
		"jsondecode nested":  local(`jsondecode("` + nest(5000, "[", "", "]") + `")`),
		"jsondecode wide":    local(`[for i in range(1000) : jsondecode("[` + thousand + `]")]`),
		"jsonencode twice":   doubling(`"\""`, `jsonencode(L)`),
		"flatten":            local(`flatten([for a in range(1000) : [for b in range(1000) : [a, b]]])`),
		"splat of splats":    local(`[for a in range(1000) : [for b in range(100) : [[range(1000)]][*][*][*]]]`),
		"regex backtracking": local(`[for i in range(1000) : regexall("(a*)*b|(a|a)*c|(.*)(.*)(.*)d", join("", [for j in range(1000) : "aaaaaaaaaa"]))]`),
		"regex repeat":       local(`regex("((((a{1,30}){1,30}){1,30}){1,30}){1,30}", "a")`),
		"replace grows":      doubling(`"aa"`, `replace(L, "a", "aaaaaaaa")`),
		"format width arg":   local(`format("%*d", 999999999, 1)`),
		"formatlist widths":  local(`formatlist("%1000000s", range(1000))`),
		"setproduct nested":  local(`setproduct(setproduct(range(300), range(300)), range(300))`),
		"chunklist":          local(`[for i in range(1000) : chunklist(range(1000), 1)]`),
		"try nests":          local(nest(60, "try(", `[for a in range(1000) : [for b in range(1000) : [for c in range(100) : a]]]`, ", 1)")),
		"can nests":          local(`can(can(can([for a in range(1000) : [for b in range(1000) : [for c in range(100) : a]]])))`),
		"huge number":        local(`1e999999999`),
		"indent":             local(`indent(100000, join("\n", [for i in range(1000) : "x"]))`),
		"zipmap":             local(`[for i in range(1000) : zipmap([for j in range(1000) : "k${j}"], range(1000))]`),
		"sort":               local(`[for i in range(1000) : sort([for j in range(1000) : "k${j}"])]`),
		"sets of sets":       local(`toset([for i in range(1000) : toset([for j in range(1000) : "${i}-${j}"])])`),
		"csv":                local(`[for i in range(1000) : csvdecode(join("\n", [for j in range(1000) : "a,b,c"]))]`),
		"template reads":     local(`templatefile("t.tmpl", {})`),
		"hash":               local(`[for i in range(1000) : sha512(join("", [for j in range(1000) : "xxxxxxxxxxxxxxxx"]))]`),
		"dates":              local(`[for i in range(1000) : [for j in range(1000) : formatdate("` + strings.Repeat("YYYY", 200) + `", "2026-01-01T00:00:00Z")]]`),
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			m, diags := Parse([]File{{Path: "main.hcl", Content: []byte(src)}})
			v := cty.DynamicVal
			if !diags.HasErrors() {
				in := Inputs{Files: Recorded([]File{{Path: "t.tmpl", Content: []byte(`${templatefile("t.tmpl", {})}${templatefile("t.tmpl", {})}`)}})}
				v, diags = m.Scope(&Pipeline{Name: "p"}, in).Value(m.Local("x").Expr, cty.DynamicPseudoType)
			}
			took := time.Since(began)
			if t.Logf("%s: %.150s", took, diags.Error()); took > hangs {
				t.Errorf("it took %s", took)
			}
			if !diags.HasErrors() {
				t.Errorf("it gives %.100s", Show(v, "?"))
			}
		})
	}
}

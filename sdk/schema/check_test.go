package schema

import (
	"slices"
	"testing"

	"github.com/zclconf/go-cty/cty"
)

func TestCheckInput(t *testing.T) {
	o := Object{
		Attrs: []Attr{
			{Name: "name", Type: cty.String, Required: true, Enum: []string{"a", "b"}},
			{Name: "count", Type: cty.Number},
			{Name: "flag", Type: cty.Bool},
			{Name: "memory", Type: cty.String, Format: FormatSize},
			{Name: "limit", Type: cty.String, Format: FormatDuration},
			{Name: "tags", Type: cty.List(cty.String)},
			{Name: "env", Type: cty.Map(cty.String)},
			{Name: "image", Type: cty.DynamicPseudoType, Located: true},
			File("file", ""),
		},
		Blocks: []Block{{Name: "mount", Nesting: NestingList, Object: Object{Attrs: []Attr{{Name: "target", Type: cty.String, Required: true}}}}},
	}
	tests := []struct {
		name, input string
		want        []string
	}{
		{"complete", `{"name":"a","count":1.5,"flag":false,"memory":"1GiB","limit":"5s","tags":["x"],"env":{"A":"b"},"image":"r","mount":[{"target":"/x"}],"file":{"digest":"sha256:0","size":1}}`, nil},
		{"nulls", `{"name":"a","count":null,"tags":null,"mount":null,"image":null}`, nil},
		{"located object", `{"name":"a","image":{"id":"x","location":"y"}}`, nil},
		{"missing", `{}`, []string{"name: a value is needed"}},
		{"enum", `{"name":"c"}`, []string{`name: "c" is none of ["a" "b"]`}},
		{"types are strict", `{"name":"a","count":"1","flag":"true","tags":"x","env":[]}`, []string{
			"count: a number is needed, not a string", "flag: true or false is needed, not a string",
			"tags: a list is needed, not a string", "env: a map is needed, not a list",
		}},
		{"inside collections", `{"name":"a","tags":["x",1],"env":{"B":true},"mount":[{"target":"/x"},{}]}`, []string{
			"tags[1]: a string is needed, not a number", "env.B: a string is needed, not true or false", "mount[1].target: a value is needed",
		}},
		{"formats", `{"name":"a","memory":"lots","limit":"-1s"}`, []string{
			`memory: "lots" is not a size: write a number with a unit, such as "128m" or "1GiB"`,
			`limit: "-1s" is not a duration: write a number with a unit, such as "5s" or "1h30m"`,
		}},
		{"unknown", `{"name":"a","zzz":1,"mount":[{"target":"x","x":1}],"file":{"path":"/etc"}}`, []string{
			"file.path: there is no such attribute", "mount[0].x: there is no such attribute", "zzz: there is no such attribute",
		}},
		{"no object", `[]`, []string{"an object is needed, not a list"}},
		{"no JSON", `{`, []string{"not JSON: unexpected EOF"}},
		{"two values", `{"name":"a"} {}`, []string{"not JSON: something follows the value"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, p := range o.CheckInput([]byte(tt.input)) {
				got = append(got, p.Error())
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCheckOutputLetsPathsBe(t *testing.T) {
	o := Object{Attrs: []Attr{File("file", ""), {Name: "n", Type: cty.Number, Required: true}}}
	if p := o.CheckOutput([]byte(`{"file":{"path":"/scratch/x"}}`)); p != nil {
		t.Errorf("problems %v", p)
	}
}

func TestEachArtifact(t *testing.T) {
	many := Attr{Name: "many", Type: cty.Map(ArtifactType), Format: FormatFile}
	o := Object{
		Attrs:  []Attr{File("file", ""), many, Directory("none", "")},
		Blocks: []Block{{Name: "b", Nesting: NestingList, Object: Object{Attrs: []Attr{Directory("dir", "")}}}},
	}
	v, err := DecodeJSON([]byte(`{"file":{"digest":"1"},"many":{"y":{"digest":"3"},"x":{"digest":"2"}},"none":null,"b":[{"dir":{"digest":"4"}},7]}`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	err = o.EachArtifact(v, func(path string, f Format, a map[string]any) error {
		digest, _ := a["digest"].(string)
		got = append(got, path+"="+digest+" "+string(f))
		return nil
	})
	want := []string{"file=1 file", "many.x=2 file", "many.y=3 file", "b[0].dir=4 directory"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

// TestCanonical: of a name that stands twice the last value counts, in whatever way it is decoded afterwards.
func TestCanonical(t *testing.T) {
	got, err := Canonical([]byte(`{"b":1.50,"network":"host","network":null,"m":{"x":{"a":1}},"m":{"y":{"a":12345678901234567890}}}`))
	if want := `{"b":1.50,"m":{"y":{"a":12345678901234567890}},"network":null}`; err != nil || string(got) != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
	if _, err := Canonical([]byte(`{} {}`)); err == nil {
		t.Error("two values were taken for one")
	}
}

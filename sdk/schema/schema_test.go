package schema

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"
)

func TestParseSize(t *testing.T) {
	tests := []struct {
		in   string
		want Size
	}{
		{"128m", 128 << 20},
		{"128M", 128 << 20},
		{"1GiB", 1 << 30},
		{"1 GiB", 1 << 30},
		{"1GB", 1e9},
		{"1.5k", 1536},
		{"512", 512},
		{"512b", 512},
		{"0", 0},
		{"2TiB", 2 << 40},
	}
	for _, tt := range tests {
		got, err := ParseSize(tt.in)
		if err != nil || got != tt.want {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", tt.in, got, err, tt.want)
		}
	}
	for _, bad := range []string{"", "m", "-1m", "1e9", "0x10", "1..2k", "lots", "1m m", "99999999t", "9999999999999999999999999g", "1/2k", "1_000"} {
		if got, err := ParseSize(bad); err == nil {
			t.Errorf("ParseSize(%q) = %d, want an error", bad, got)
		}
	}
}

func TestSizeStringReadsBack(t *testing.T) {
	for _, s := range []Size{0, 1, 1023, 1024, 1536, 128 << 20, 1 << 30, 3 << 40} {
		if got, err := ParseSize(s.String()); err != nil || got != s {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", s, got, err, s)
		}
	}
}

func TestJSONForms(t *testing.T) {
	var v struct {
		Size     Size
		Bytes    Size
		Duration Duration
	}
	if err := json.Unmarshal([]byte(`{"Size":"1m","Bytes":42,"Duration":"1m30s"}`), &v); err != nil {
		t.Fatal(err)
	}
	if v.Size != 1<<20 || v.Bytes != 42 || v.Duration.Std() != 90*time.Second {
		t.Errorf("got %+v", v)
	}
	if err := json.Unmarshal([]byte(`{"Size":null,"Duration":null}`), &v); err != nil || v.Size != 1<<20 || v.Duration.Std() != 90*time.Second {
		t.Errorf("null: %v, got %+v", err, v)
	}
	for _, bad := range []string{`{"Size":-1}`, `{"Size":1.5}`, `{"Size":"x"}`, `{"Duration":5}`, `{"Duration":"-5s"}`, `{"Duration":"5"}`} {
		if err := json.Unmarshal([]byte(bad), &v); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

func TestObjectType(t *testing.T) {
	o := Object{
		Attrs:  []Attr{{Name: "a", Type: cty.String}, File("f", "")},
		Blocks: []Block{{Name: "one", Nesting: NestingSingle}, {Name: "many", Nesting: NestingList}, {Name: "by", Nesting: NestingMap}},
	}
	want := cty.Object(map[string]cty.Type{
		"a": cty.String, "f": ArtifactType, "one": cty.EmptyObject, "many": cty.List(cty.EmptyObject), "by": cty.Map(cty.EmptyObject),
	})
	if !o.Type().Equals(want) {
		t.Errorf("Type() = %s, want %s", o.Type().GoString(), want.GoString())
	}
}

func TestValidateDeclarations(t *testing.T) {
	tests := []struct {
		name string
		o    Object
		want string
	}{
		{"name", Object{Attrs: []Attr{{Name: "No", Type: cty.String}}}, "lower-case"},
		{"digit first", Object{Attrs: []Attr{{Name: "1a", Type: cty.String}}}, "lower-case"},
		{"no type", Object{Attrs: []Attr{{Name: "a"}}}, "no type"},
		{"twice", Object{Attrs: []Attr{{Name: "a", Type: cty.String}, {Name: "a", Type: cty.String}}}, "twice"},
		{"block and attribute", Object{Attrs: []Attr{{Name: "a", Type: cty.String}}, Blocks: []Block{{Name: "a", Nesting: NestingList}}}, "twice"},
		{"format", Object{Attrs: []Attr{{Name: "a", Type: cty.Number, Format: FormatSize}}}, "needs type string"},
		{"artifact", Object{Attrs: []Attr{{Name: "a", Type: cty.String, Format: FormatFile}}}, "artifact"},
		{"nesting", Object{Blocks: []Block{{Name: "a", Nesting: "set"}}}, "nesting"},
		{"inside", Object{Blocks: []Block{{Name: "a", Nesting: NestingList, Object: Object{Attrs: []Attr{{Name: "b"}}}}}}, `block "a"`},
	}
	for _, tt := range tests {
		if err := tt.o.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Validate() = %v, want %q in it", tt.name, err, tt.want)
		}
	}
}

func TestDigestIgnoresDocs(t *testing.T) {
	a := Step{Input: Object{Attrs: []Attr{{Name: "a", Type: cty.String, Doc: "one"}}}}
	b := Step{Input: Object{Attrs: []Attr{{Name: "a", Type: cty.String, Doc: "two"}}}}
	c := Step{Input: Object{Attrs: []Attr{{Name: "a", Type: cty.Number}}}}
	da, err := a.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if db, _ := b.Digest(); db != da {
		t.Error("docs change the digest")
	}
	if dc, _ := c.Digest(); dc == da {
		t.Error("a type does not change the digest")
	}
}

func TestObjectJSONReadsBack(t *testing.T) {
	o := Object{Attrs: []Attr{{Name: "a", Type: cty.Map(cty.String), Enum: []string{"x"}}, {Name: "b", Type: cty.DynamicPseudoType}}}
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var back Object
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if !back.Type().Equals(o.Type()) {
		t.Errorf("read back as %s", back.Type().GoString())
	}
}

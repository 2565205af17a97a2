package schema_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/sdk/schema"
)

func part(text, secret string) schema.SecretPart {
	return schema.SecretPart{Text: text, Secret: secret}
}

func TestReveal(t *testing.T) {
	value := func(name string) (string, error) {
		if name == "NONE" {
			return "", errors.New("not granted")
		}
		return "<" + name + ">", nil
	}
	for _, tt := range []struct {
		name, input string
		path        []string
		parts       []schema.SecretPart
		want        string // empty: an error
	}{
		{"map", `{"env":{"A":"x","n":1}}`, []string{"env", "A"}, []schema.SecretPart{part("Bearer ", ""), part("", "T")}, `{"env":{"A":"Bearer \u003cT\u003e","n":1}}`},
		{"list", `{"l":["a","b"]}`, []string{"l", "1"}, []schema.SecretPart{part("", "T"), part("", "U")}, `{"l":["a","\u003cT\u003e\u003cU\u003e"]}`},
		{"large numbers", `{"a":"","n":12345678901234567890}`, []string{"a"}, []schema.SecretPart{part("", "T")}, `{"a":"\u003cT\u003e","n":12345678901234567890}`},
		{"no such key", `{"env":{}}`, []string{"env", "A"}, []schema.SecretPart{part("", "T")}, ""},
		{"no text", `{"env":{"A":1}}`, []string{"env", "A"}, []schema.SecretPart{part("", "T")}, ""},
		{"index too large", `{"l":["a"]}`, []string{"l", "1"}, []schema.SecretPart{part("", "T")}, ""},
		{"no path", `"a"`, nil, []schema.SecretPart{part("", "T")}, ""},
		{"not granted", `{"a":"x"}`, []string{"a"}, []schema.SecretPart{part("", "NONE")}, ""},
		{"no JSON", `{`, []string{"a"}, []schema.SecretPart{part("", "T")}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := schema.Reveal([]byte(tt.input), []schema.SecretText{{Path: tt.path, Parts: tt.parts}}, value)
			if tt.want == "" && err == nil || tt.want != "" && (err != nil || string(got) != tt.want) {
				t.Errorf("%s, %v; want %s", got, err, tt.want)
			}
		})
	}
}

// FuzzReveal puts a secret at any path of any JSON: it is refused, or what comes out is JSON that has the secret at its place.
func FuzzReveal(f *testing.F) {
	f.Add(`{"env":{"A":"x","n":1}}`, "env/A", "v")
	f.Add(`{"l":["a",{"b":[]}]}`, "l/0", "\xff\"")
	f.Add(`{"l":["a"]}`, "l/-1", "v")
	f.Add(`{"":{"":""}}`, "/", "v")
	f.Fuzz(func(t *testing.T, input, path, secret string) {
		texts := []schema.SecretText{{Path: strings.Split(path, "/"), Parts: []schema.SecretPart{part("", "S")}}}
		once, err := schema.Reveal([]byte(input), texts, func(string) (string, error) { return secret, nil })
		if err != nil {
			return
		}
		again, err := schema.Reveal(once, texts, func(string) (string, error) { return secret, nil })
		if err != nil || !json.Valid(once) || !bytes.Equal(once, again) {
			t.Errorf("%s, then %s, %v", once, again, err)
		}
	})
}

func TestCheckSecrets(t *testing.T) {
	o := schema.Object{
		Attrs: []schema.Attr{{Name: "env", Type: cty.Map(cty.String), Secrets: true}, {Name: "name", Type: cty.String}},
		Blocks: []schema.Block{
			{Name: "one", Nesting: schema.NestingSingle, Object: schema.Object{Attrs: []schema.Attr{{Name: "s", Type: cty.String, Secrets: true}}}},
			{Name: "many", Nesting: schema.NestingList, Object: schema.Object{Attrs: []schema.Attr{{Name: "s", Type: cty.String, Secrets: true}}}},
		},
	}
	for _, tt := range []struct {
		path []string
		ok   bool
	}{
		{[]string{"env", "A"}, true},
		{[]string{"one", "s"}, true},
		{[]string{"many", "0", "s"}, true},
		{[]string{"name"}, false},
		{[]string{"none"}, false},
		{nil, false},
		{[]string{"many"}, false},
		{[]string{"many", "0", "t"}, false},
	} {
		if problems := o.CheckSecrets([]schema.SecretText{{Path: tt.path}}); (len(problems) == 0) != tt.ok {
			t.Errorf("%q: %v", tt.path, problems)
		}
	}
	for _, wrong := range []schema.Attr{
		{Name: "n", Type: cty.Number, Secrets: true},
		{Name: "m", Type: cty.String, Secrets: true, Format: schema.FormatSize},
		{Name: "e", Type: cty.String, Secrets: true, Enum: []string{"a"}},
		{Name: "s", Type: cty.Set(cty.String), Secrets: true},
	} {
		if (schema.Object{Attrs: []schema.Attr{wrong}}).Validate() == nil {
			t.Errorf("%+v may hold secrets", wrong)
		}
	}
}

func TestSecretsAreAskedFor(t *testing.T) {
	with := func(secrets bool) schema.Step {
		return schema.Step{Input: schema.Object{Attrs: []schema.Attr{{Name: "env", Type: cty.String, Secrets: secrets}}}}
	}
	if len(with(false).Compatible(with(true))) != 1 || len(with(true).Compatible(with(false))) != 0 {
		t.Error("a provider that takes no secrets any more must not get steps that were checked against one that does, and only that")
	}
}

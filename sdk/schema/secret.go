package schema

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// SecretText is a text of a step's input in which secrets stand. Everywhere but in the provider's process the secrets are names: the input
// itself has at Path what people may read instead, such as `Bearer ${secret("TOKEN")}`.
type SecretText struct {
	// Path leads from the input's root to the text: names of attributes and keys, and indexes from 0, such as ["env", "TOKEN"].
	Path []string `json:"path"`
	// Parts make the text, in order.
	Parts []SecretPart `json:"parts"`
}

// SecretPart is either plain text, or the name of a secret.
type SecretPart struct {
	Text   string `json:"text,omitempty"`
	Secret string `json:"secret,omitempty"`
}

// String is the text for people, in the syntax of a template.
func (t SecretText) String() string {
	var b strings.Builder
	for _, p := range t.Parts {
		if p.Secret != "" {
			fmt.Fprintf(&b, "${secret(%q)}", p.Secret)
			continue
		}
		b.WriteString(p.Text)
	}
	return b.String()
}

// MaxSecretParts is how many parts the texts of one step have at most, and maxRevealed how many bytes they are, put together.
const (
	MaxSecretParts = 1000
	maxRevealed    = 512 << 10
)

// CheckSecrets reports secrets that stand where o does not take any, and too many of them.
func (o Object) CheckSecrets(texts []SecretText) (problems []Problem) {
	if n := CountParts(texts); n > MaxSecretParts {
		return []Problem{{Message: fmt.Sprintf("the texts with secrets have %d parts; %d are possible", n, MaxSecretParts)}}
	}
	for _, t := range texts {
		if a := o.at(t.Path); a == nil || !a.Secrets {
			problems = append(problems, Problem{Path: strings.Join(t.Path, "."), Message: "a secret cannot stand here"})
		}
	}
	return problems
}

// CountParts is how many parts texts have together.
func CountParts(texts []SecretText) (n int) {
	for _, t := range texts {
		n += 1 + len(t.Parts)
	}
	return n
}

// at is the attribute that a path leads to or into, or nil.
func (o Object) at(path []string) *Attr {
	if len(path) == 0 {
		return nil
	}
	if a := o.Attr(path[0]); a != nil {
		return a
	}
	b := o.Block(path[0])
	switch {
	case b == nil:
		return nil
	case b.Nesting == NestingSingle:
		return b.Object.at(path[1:])
	case len(path) < 2:
		return nil
	default:
		return b.Object.at(path[2:])
	}
}

// Reveal is input, JSON, with the secrets' values in their places. value gives the value of a secret, or why it cannot be had.
func Reveal(input json.RawMessage, texts []SecretText, value func(name string) (string, error)) (json.RawMessage, error) {
	if len(texts) == 0 {
		return input, nil
	}
	root, err := DecodeJSON(input)
	if err != nil {
		return nil, err
	}
	size := 0
	for _, t := range texts {
		var text strings.Builder
		for _, p := range t.Parts {
			part := p.Text
			if p.Secret != "" {
				if part, err = value(p.Secret); err != nil {
					return nil, err
				}
			}
			if size += len(part); size > maxRevealed {
				return nil, fmt.Errorf("the texts with secrets have more than %d bytes", maxRevealed)
			}
			text.WriteString(part)
		}
		if !put(root, t.Path, text.String()) {
			return nil, fmt.Errorf("a secret is to stand at %s, where the input has no text", strings.Join(t.Path, "."))
		}
	}
	return json.Marshal(root)
}

// put replaces the text at a path. It reports false where there is none.
func put(v any, path []string, text string) bool {
	if len(path) == 0 {
		return false
	}
	var at any
	set := func(any) {}
	switch v := v.(type) {
	case map[string]any:
		at, set = v[path[0]], func(x any) { v[path[0]] = x }
	case []any:
		i, err := strconv.Atoi(path[0])
		if err != nil || i < 0 || i >= len(v) {
			return false
		}
		at, set = v[i], func(x any) { v[i] = x }
	}
	if len(path) > 1 {
		return put(at, path[1:], text)
	}
	if _, ok := at.(string); !ok {
		return false
	}
	set(text)
	return true
}

// SecretNames are the secrets in texts, sorted, each once.
func SecretNames(texts []SecretText) (names []string) {
	for _, t := range texts {
		for _, p := range t.Parts {
			if p.Secret != "" {
				names = append(names, p.Secret)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

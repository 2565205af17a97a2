package sdk_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/containerpub/cpub/sdk"
)

func TestRedactorText(t *testing.T) {
	for _, tt := range []struct {
		secrets  []string
		in, want string
	}{
		{[]string{"hunter22"}, "a hunter22 b hunter22", "a *** b ***"},
		{[]string{"hunter22"}, "hunter2", "hunter2"},
		{[]string{"abcd", "abcdef"}, "abcdef abcde", "*** ***e"},
		{[]string{"aaab"}, "aaaab", "a***"},
		{[]string{"token-AAAA", "AAAA-second"}, "token-AAAA-second.", "***."}, // they overlap
		{[]string{"abcdabcd"}, "xabcdabcdabcdy", "x***y"},
		{[]string{"abcdefgh", "bcdefghijk"}, "abcdefghijkl", "***l"},
		{[]string{" hunter22 "}, "hunter22", "***"},
		{[]string{"{\n    }\n  true,\n pass: word1\n"}, "    } true, pass: word1", "    } *** ***"},
		{[]string{"one-line\nand another\n"}, "x and another y one-line\nand another z", "x *** y *** z"},
		{[]string{"abc"}, "abc", "abc"}, // too short to be hidden
		{nil, "abcd", "abcd"},
	} {
		r := sdk.NewRedactor(tt.secrets...)
		if got := r.Text(tt.in); got != tt.want {
			t.Errorf("%q of %q: %q, want %q", tt.secrets, tt.in, got, tt.want)
		}
		for size := range len(tt.in) + 1 {
			if got := inPieces(t, r, tt.in, size+1); got != tt.want {
				t.Errorf("%q of %q in pieces of %d: %q, want %q", tt.secrets, tt.in, size+1, got, tt.want)
			}
		}
	}
}

func inPieces(t *testing.T, r *sdk.Redactor, s string, size int) string {
	t.Helper()
	var b bytes.Buffer
	w := r.Writer(&b)
	for p := []byte(s); len(p) > 0; {
		n := min(size, len(p))
		if m, err := w.Write(p[:n]); m != n || err != nil {
			t.Fatalf("writing %d bytes: %d, %v", n, m, err)
		}
		p = p[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestRedactorStreams holds random texts in random pieces against the same texts as a whole.
func TestRedactorStreams(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	word := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteByte("ab"[rnd.IntN(2)])
		}
		return b.String()
	}
	for range 2000 {
		secrets := []string{word(4 + rnd.IntN(4)), word(4 + rnd.IntN(4))}
		r, text := sdk.NewRedactor(secrets...), word(40)
		whole := r.Text(text)
		if got := inPieces(t, r, text, 1+rnd.IntN(9)); got != whole {
			t.Fatalf("%q of %q: %q in pieces, %q whole", secrets, text, got, whole)
		}
		for _, s := range secrets {
			if strings.Contains(whole, s) {
				t.Fatalf("%q of %q leaves %q", secrets, text, whole)
			}
		}
	}
}

func TestRedactorJSON(t *testing.T) {
	r := sdk.NewRedactor(`pa"ss`)
	got, err := r.JSON([]byte(`{"pa\"ss":["x pa\"ss",12345678901234567890,{"k":"pa\"ss"},null,true]}`))
	want := `{"***":["x ***",12345678901234567890,{"k":"***"},null,true]}`
	if number, err := sdk.NewRedactor("48151623").JSON([]byte(`{"pin":48151623,"n":4815}`)); err != nil || string(number) != `{"n":4815,"pin":"***"}` {
		t.Errorf("a number: %s, %v", number, err)
	}
	for range 20 {
		both, err := sdk.NewRedactor("alpha", "bravo").JSON([]byte(`{"alpha":1,"bravo":2,"*** (2)":3}`))
		if err != nil || string(both) != `{"***":1,"*** (2)":3,"*** (2) (2)":2}` && string(both) != `{"***":1,"*** (2)":3,"*** (3)":2}` {
			t.Fatalf("keys that become one: %s, %v", both, err)
		}
	}
	if _, err := r.JSON([]byte(`{"a":1} garbage`)); err == nil {
		t.Error("what follows JSON is taken")
	}
	if err != nil || string(got) != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
	if _, err := r.JSON([]byte(`{`)); err == nil {
		t.Error("what is no JSON is taken")
	}
	if got, err := (*sdk.Redactor)(nil).JSON([]byte(`{"a":1}`)); err != nil || string(got) != `{"a":1}` {
		t.Errorf("without secrets: %s, %v", got, err)
	}
}

// FuzzRedactorJSON hides a text in any JSON: what comes out is JSON, the same each time, and has the text in none of its strings.
func FuzzRedactorJSON(f *testing.F) {
	f.Add(`{"a":"hunter2","hunter2":["x hunter2","hunter"],"n":1e400}`, "hunter2")
	f.Add(`{"hunter2a":1,"hunter2":2,"***":3,"***a":4}`, "hunter2")
	f.Add(`"\u0068unter2\nline"`, "hunter2\nline")
	f.Add(`["abcabcabcd","aaaaa",""]`, "abcabcd")
	f.Fuzz(func(t *testing.T, data, secret string) {
		r := sdk.NewRedactor(secret)
		got, err := r.JSON(json.RawMessage(data))
		if err != nil || r == nil || strings.ContainsAny(secret, "*\ufffd") || !utf8.ValidString(secret) {
			return // a secret like "a***" could come about by hiding
		}
		if again, err := r.JSON(json.RawMessage(data)); err != nil || len(data) > 0 && !json.Valid(got) || !bytes.Equal(again, got) {
			t.Fatalf("%s, then %s, %v", got, again, err)
		}
		if line, _, _ := strings.Cut(strings.Trim(secret, "\r\n"), "\n"); len(line) >= sdk.MinHidden && json.Valid(got) {
			for _, text := range textsOf(t, got) {
				if strings.Contains(text, strings.Trim(line, "\r")) && len(strings.Trim(line, "\r")) >= sdk.MinHidden {
					t.Errorf("%q is still in %q", line, text)
				}
			}
		}
	})
}

// textsOf gives the strings and keys in JSON.
func textsOf(t *testing.T, data []byte) (texts []string) {
	t.Helper()
	for dec := json.NewDecoder(bytes.NewReader(data)); ; {
		switch token, err := dec.Token(); text := token.(type) {
		case string:
			texts = append(texts, text)
		default:
			if err != nil {
				return texts
			}
		}
	}
}

func ExampleRedactor() {
	r := sdk.NewRedactor("correct horse")
	fmt.Println(r.Text("the password is correct horse"))
	// Output: the password is ***
}

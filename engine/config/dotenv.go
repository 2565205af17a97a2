package config

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
)

type envEntry struct {
	name, value string
	at          hcl.Range
}

// parseDotEnv reads the lines of a .env file: NAME=VALUE, perhaps after `export`, with # comments. Values may be quoted: 'as they are', or
// "with \n \t \" \\ \$". Nothing is expanded.
func parseDotEnv(path string, content []byte) (entries []envEntry, diags hcl.Diagnostics) {
	if !utf8.Valid(content) {
		at := hcl.Range{Filename: path, Start: hcl.InitialPos, End: hcl.InitialPos}
		return nil, hcl.Diagnostics{wrong(at, "Not a text file", "A .env file is UTF-8. Save this one in that encoding.")}
	}
	offset := 0
	for number, raw := range bytes.SplitAfter(content, []byte("\n")) {
		line := strings.TrimRight(string(raw), "\r\n")
		at := hcl.Range{
			Filename: path,
			Start:    hcl.Pos{Line: number + 1, Column: 1, Byte: offset},
			End:      hcl.Pos{Line: number + 1, Column: utf8.RuneCountInString(line) + 1, Byte: offset + len(line)},
		}
		offset += len(raw)
		line = strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, problem := parseEnvLine(line)
		if problem != "" {
			diags = append(diags, wrong(at, "Wrong line", problem))
			continue
		}
		entries = append(entries, envEntry{name, value, at})
	}
	return entries, diags
}

func parseEnvLine(line string) (name, value, problem string) {
	if rest, ok := strings.CutPrefix(line, "export "); ok {
		line = strings.TrimSpace(rest)
	}
	name, value, ok := strings.Cut(line, "=")
	name = strings.TrimSpace(name)
	if !ok || name == "" || strings.ContainsAny(name, " \t\"'") {
		return "", "", "A line of a .env file is NAME=VALUE, a comment that begins with #, or empty."
	}
	value = strings.TrimSpace(value)
	switch {
	case strings.HasPrefix(value, "'"):
		inner, rest, closed := strings.Cut(value[1:], "'")
		return name, inner, afterQuote(closed, rest)
	case strings.HasPrefix(value, `"`):
		inner, rest, closed := doubleQuoted(value[1:])
		return name, inner, afterQuote(closed, rest)
	}
	if i := strings.Index(value, " #"); i >= 0 {
		value = strings.TrimSpace(value[:i])
	}
	if strings.HasPrefix(value, "#") {
		value = ""
	}
	return name, value, ""
}

func afterQuote(closed bool, rest string) string {
	rest = strings.TrimSpace(rest)
	switch {
	case !closed:
		return "The quote is not closed on this line."
	case rest != "" && rest[0] != '#':
		return "Something follows the closing quote."
	default:
		return ""
	}
}

func doubleQuoted(s string) (inner, rest string, closed bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:], true
		case s[i] == '\\' && i+1 < len(s):
			i++
			switch s[i] {
			case 'n':
				b.WriteByte('\n')
			case 't':
				b.WriteByte('\t')
			case 'r':
				b.WriteByte('\r')
			case '"', '\\', '$':
				b.WriteByte(s[i])
			default:
				b.WriteByte('\\')
				b.WriteByte(s[i])
			}
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), "", false
}

package cases

import (
	"strconv"
	"strings"
)

// cutKey reads the key at the beginning of `"key"]rest`.
func cutKey(text string) (key, rest string, ok bool) {
	quoted, err := strconv.QuotedPrefix(text)
	if err != nil {
		return "", "", false
	}
	key, err = strconv.Unquote(quoted)
	rest, closed := strings.CutPrefix(text[len(quoted):], "]")
	return key, rest, err == nil && closed
}

// keyOf is the key in a step's own address, `invoke["a"]`, which has one or none.
func keyOf(address string) (name, key string, keyed bool) {
	name, rest, keyed := strings.Cut(address, "[")
	if !keyed {
		return address, "", false
	}
	key, after, ok := cutKey(rest)
	return name + after, key, ok
}

// matches tells whether a mock for step stands in at an address: its own, or one without the keys that the address has.
func matches(step, address string) bool {
	return step == "" || step == address || step == bare(address)
}

// attempt is how often a step was started, by its task's id: "image#2" is the second time.
func attempt(id, address string) int64 {
	if text, ok := strings.CutPrefix(id, address+"#"); ok {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
	}
	return 1
}

package engine

import "strconv"

// Address names a step everywhere: `image`, or `invoke["a"]` for the instance of that key.
func Address(step, key string, keyed bool) string {
	if !keyed {
		return step
	}
	return step + "[" + strconv.Quote(key) + "]"
}

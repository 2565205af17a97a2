package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// KeyOf names a step of a run for everybody who may meet it again: every attempt has the same key, every other step of every other
// run another one. Generation is empty, or tells apart what a reset or a rerun does anew. 32 lower-case hex digits.
func KeyOf(workflowID, firstRunID, generation, step string) string {
	var b strings.Builder
	for _, part := range []string{workflowID, firstRunID, generation, step} {
		b.WriteString(strconv.Itoa(len(part)))
		b.WriteByte(':')
		b.WriteString(part)
	}
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:16])
}

package wire

import (
	"strings"
	"time"
)

// validUTF8 is s without the bytes that are no UTF-8: protobuf refuses to send them.
func validUTF8(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// toMillis rounds up, so that a short wait does not become none.
func toMillis(d time.Duration) int64 {
	ms := d.Milliseconds()
	if d > time.Duration(ms)*time.Millisecond {
		ms++
	}
	return ms
}

// maxDuration bounds what a peer may ask for.
const maxDuration = 30 * 24 * time.Hour

func fromMillis(ms int64) time.Duration {
	return time.Duration(min(max(ms, 0), maxDuration.Milliseconds())) * time.Millisecond
}

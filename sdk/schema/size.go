package schema

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strings"
)

// Size is a number of bytes. In JSON it is a string in ParseSize's form, or a number of bytes.
type Size int64

var units = []struct {
	suffix string
	factor int64
}{
	{"kib", 1 << 10},
	{"mib", 1 << 20},
	{"gib", 1 << 30},
	{"tib", 1 << 40},
	{"kb", 1000},
	{"mb", 1000 * 1000},
	{"gb", 1000 * 1000 * 1000},
	{"tb", 1000 * 1000 * 1000 * 1000},
	{"k", 1 << 10},
	{"m", 1 << 20},
	{"g", 1 << 30},
	{"t", 1 << 40},
	{"b", 1},
}

// ParseSize reads a size: a decimal number with an optional unit, in any case. `k`, `m`, `g`, `t` and `KiB`, `MiB`, `GiB`,
// `TiB` are powers of 1024 (as in Podman and Docker), `KB`, `MB`, `GB`, `TB` powers of 1000.
func ParseSize(s string) (Size, error) {
	num, factor := strings.ToLower(strings.TrimSpace(s)), int64(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(num, u.suffix); ok {
			num, factor = strings.TrimSpace(rest), u.factor
			break
		}
	}
	if num == "" || len(num) > 24 || strings.Trim(num, "0123456789.") != "" {
		return 0, fmt.Errorf("%q is not a size: write a number with a unit, such as \"128m\" or \"1GiB\"", s)
	}
	r, ok := new(big.Rat).SetString(num)
	if !ok {
		return 0, fmt.Errorf("%q is not a size: write a number with a unit, such as \"128m\" or \"1GiB\"", s)
	}
	r.Mul(r, new(big.Rat).SetInt64(factor))
	bytes := new(big.Int).Quo(r.Num(), r.Denom())
	if !bytes.IsInt64() || bytes.Int64() > math.MaxInt64/2 {
		return 0, fmt.Errorf("%q is more than any machine has", s)
	}
	return Size(bytes.Int64()), nil
}

// String is the size in the largest binary unit that divides it, in ParseSize's form.
func (s Size) String() string {
	for _, u := range []struct {
		name   string
		factor Size
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if s >= u.factor && s%u.factor == 0 {
			return fmt.Sprintf("%d%s", s/u.factor, u.name)
		}
	}
	return fmt.Sprintf("%db", int64(s))
}

// UnmarshalJSON reads a string in ParseSize's form, or a whole number of bytes. Null leaves the value as it is.
func (s *Size) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	var text string
	if json.Unmarshal(b, &text) == nil {
		v, err := ParseSize(text)
		*s = v
		return err
	}
	var n int64
	if err := json.Unmarshal(b, &n); err != nil || n < 0 {
		return fmt.Errorf("%s is not a size: write a string such as \"128m\", or a number of bytes", b)
	}
	*s = Size(n)
	return nil
}

// MarshalJSON writes the number of bytes.
func (s Size) MarshalJSON() ([]byte, error) { return json.Marshal(int64(s)) }

package schema

import (
	"encoding/json"
	"fmt"
	"time"
)

// Duration is a length of time. In JSON it is a string in ParseDuration's form.
type Duration time.Duration

// ParseDuration reads a duration that is not negative, such as "5s", "1h30m" or "250ms".
func ParseDuration(s string) (Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a duration: write a number with a unit, such as \"5s\" or \"1h30m\"", s)
	}
	return Duration(d), nil
}

// Std is the duration as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String is the duration in ParseDuration's form.
func (d Duration) String() string { return time.Duration(d).String() }

// UnmarshalJSON reads a string in ParseDuration's form. Null leaves the value as it is.
func (d *Duration) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("%s is not a duration: write a string such as \"5s\"", b)
	}
	v, err := ParseDuration(text)
	*d = v
	return err
}

// MarshalJSON writes the string form.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

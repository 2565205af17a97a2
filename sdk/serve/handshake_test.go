package serve

import "testing"

func TestWithCert(t *testing.T) {
	for line, want := range map[string]string{
		"1|1|unix|/s|grpc|":           "1|1|unix|/s|grpc|CERT",
		"1|1|unix|/s|grpc":            "1|1|unix|/s|grpc|CERT",
		"1|1|unix|/s|grpc|other|true": "1|1|unix|/s|grpc|CERT|true",
	} {
		if got := withCert(line, "CERT"); got != want {
			t.Errorf("%q became %q, want %q", line, got, want)
		}
	}
}

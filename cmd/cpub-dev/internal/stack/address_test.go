package stack

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	tests := []struct {
		given, want, err string
	}{
		{given: ":7233", want: "127.0.0.1:7233"},
		{given: "localhost:0", want: "127.0.0.1:0"},
		{given: "127.0.0.2:80", want: "127.0.0.2:80"},
		{given: "7233", err: "is not host:port"},
		{given: ":http", err: "no port between 0 and 65535"},
		{given: ":65536", err: "no port between 0 and 65535"},
		{given: "0.0.0.0:7233", err: "not safe to offer to others"},
		{given: "example.org:7233", err: "not safe to offer to others"},
		{given: "[::1]:7233", err: "not safe to offer to others"},
	}
	for _, test := range tests {
		t.Run(test.given, func(t *testing.T) {
			got, err := parseAddress(test.given)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("parseAddress(%q) error = %v, want one with %q", test.given, err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != test.want {
				t.Errorf("parseAddress(%q) = %v, want %v", test.given, got, test.want)
			}
		})
	}
}

func TestReserveNamesTheServiceWhoseAddressIsTaken(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = busy.Close() }()
	_, err = reserve(t.Context(), Options{
		Services:        Services(),
		TemporalAddress: ":0", UIAddress: ":0", RegistryAddress: ":0",
		S3Address: busy.Addr().String(),
	})
	if err == nil {
		t.Fatal("a taken address was accepted")
	}
	for _, want := range []string{"the S3 gateway", busy.Addr().String(), "in use by another program"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
}

func TestReserveGivesEachServiceItsOwnPort(t *testing.T) {
	at, err := reserve(t.Context(), Options{
		Services:        Services(),
		TemporalAddress: ":0", UIAddress: ":0", S3Address: ":0", RegistryAddress: ":0",
	})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, a := range append(at.internal[:], at.temporal, at.ui, at.s3, at.registry) {
		if a.port == 0 || seen[a.port] {
			t.Errorf("port %d is none or given twice", a.port)
		}
		seen[a.port] = true
	}
	if want := "localhost:" + strconv.Itoa(at.registry.port); at.registry.localhost() != want {
		t.Errorf("localhost() = %q, want %q", at.registry.localhost(), want)
	}
}

func TestReserveRefusesOneAddressForTwoServices(t *testing.T) {
	port, err := freePort(t.Context(), "127.0.0.1", map[int]bool{})
	if err != nil {
		t.Fatal(err)
	}
	same := ":" + strconv.Itoa(port)
	_, err = reserve(t.Context(), Options{Services: []string{S3, Registry}, S3Address: same, RegistryAddress: same})
	if err == nil || !strings.Contains(err.Error(), "given to two services") {
		t.Errorf("error = %v", err)
	}
}

func TestReserveThatIsCancelledBlamesNoPort(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, given := range []string{":0", "127.0.0.1:7233"} {
		_, err := reserve(ctx, Options{Services: []string{Registry}, RegistryAddress: given})
		if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "free") || strings.Contains(err.Error(), "cannot be used") {
			t.Errorf("%s: %v", given, err)
		}
	}
}

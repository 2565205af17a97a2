package serve

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"os"
	"strings"
)

// addToHandshake puts our certificate into the line by which go-plugin tells where it serves: with a TLSProvider it leaves that
// field empty, and without one it makes a P-521 certificate of its own. go-plugin writes the line to os.Stdout, so that is a pipe
// until the line has passed; afterwards go-plugin sets it to a pipe of its own.
func addToHandshake(cert string) (restore func(), err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("making a pipe: %w", err)
	}
	stdout := os.Stdout
	os.Stdout = w
	go func() {
		defer r.Close()
		line, err := bufio.NewReader(r).ReadString('\n')
		if err != nil {
			return
		}
		fmt.Fprintln(stdout, withCert(strings.TrimSuffix(line, "\n"), cert))
	}()
	return func() {
		os.Stdout = stdout
		w.Close()
	}, nil
}

// withCert sets the sixth field of a handshake line.
func withCert(line, cert string) string {
	fields := strings.Split(line, "|")
	for len(fields) < 6 {
		fields = append(fields, "")
	}
	fields[5] = cert
	return strings.Join(fields, "|")
}

func constant(c *tls.Config) func() (*tls.Config, error) {
	return func() (*tls.Config, error) { return c, nil }
}

package host

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/containerpub/cpub/internal/wire"
)

func TestOnlyTheHostMayConnect(t *testing.T) {
	h := newHost(t, nil)
	addr := "unix://" + h.order[0].session().plugin.ReattachConfig().Addr.String()
	stranger, err := wire.NewPair()
	if err != nil {
		t.Fatal(err)
	}
	noCert := stranger.HostTLS()
	noCert.Certificates, noCert.InsecureSkipVerify = nil, true
	wrongCert := stranger.HostTLS()
	wrongCert.InsecureSkipVerify = true
	tests := map[string]credentials.TransportCredentials{
		"without TLS":           insecure.NewCredentials(),
		"without a certificate": credentials.NewTLS(noCert),
		"with another one":      credentials.NewTLS(wrongCert),
	}
	for name, creds := range tests {
		t.Run(name, func(t *testing.T) {
			conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(creds))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if info, err := wire.NewClient(conn).Describe(ctx); err == nil {
				t.Errorf("it was told %+v", info)
			}
		})
	}
}

func TestAProviderStartedByAPersonSaysSo(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), testBinary(t))
	cmd.Env = []string{roleProvider + "=1"}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "probe 1.2.3") || !strings.Contains(string(out), "-debug") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestReattach(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), testBinary(t), "-debug")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the provider ended with %v", err)
		}
	}()
	value := ""
	for lines := bufio.NewScanner(out); value == "" && lines.Scan(); {
		if _, rest, ok := strings.Cut(lines.Text(), wire.EnvReattach+"='"); ok {
			value = strings.TrimSuffix(rest, "'")
		}
	}
	h := newHost(t, func(o *Options) { o.Reattach, o.Instances[0].Path = value, "/nowhere" })
	if got, err := do(t, h, map[string]any{"do": "echo", "text": "attached"}); err != nil || got.Text != "attached" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func testBinary(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

package stack

import (
	"context"
	"fmt"
	"os"
	"testing"
)

// gatewayArg makes the test binary serve S3, as cpub-dev does when it starts
// itself again.
const gatewayArg = "serve-gateway"

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == gatewayArg {
		if err := ServeGateway(context.Background(), os.Stdin); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

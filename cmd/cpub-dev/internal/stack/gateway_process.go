package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// gatewayOptions is what the S3 gateway's process needs to be told.
type gatewayOptions struct {
	folder  *folder
	address address
	command []string
	buckets []string
	failed  func(error)
}

// gateway is the running process of the S3 gateway.
type gateway struct {
	cmd      *exec.Cmd
	input    io.Closer     // closing it asks the process to end
	ended    chan struct{} // closed when the process has ended
	err      error         // why it ended; to be read after ended
	stopping atomic.Bool
}

// startGateway starts the gateway's process, and returns when it answers and
// has the buckets. What is returned stops it, also beside an error.
func startGateway(ctx context.Context, opts gatewayOptions) (func(context.Context) error, error) {
	g, err := runGateway(ctx, opts)
	if err != nil {
		return nil, err
	}
	fatal := make(chan error, 1)
	go func() {
		<-g.ended
		if !g.stopping.Load() {
			err := fmt.Errorf("the S3 gateway ended (%w); see %s", g.err, opts.folder.join("log", "s3.log"))
			fatal <- err
			opts.failed(err)
		}
	}()
	err = eventually(ctx, fatal, func(ctx context.Context) error {
		return answers(ctx, "http://"+opts.address.String()+healthPath)
	})
	if err != nil {
		return g.stop, err
	}
	return g.stop, makeBuckets(ctx, opts)
}

// runGateway starts the process. What it prints goes to a log file, and a
// Ctrl-C on the terminal does not reach it: it ends when the stack ends it.
func runGateway(ctx context.Context, opts gatewayOptions) (*gateway, error) {
	log, err := opts.folder.openLog("s3.log")
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the process has its own

	//nolint:noctx // the process outlives the start; stop ends it
	cmd := exec.Command(opts.command[0], opts.command[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("making the gateway's stdin: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the gateway's process: %w", err)
	}
	g := &gateway{cmd: cmd, input: input, ended: make(chan struct{})}
	go func() {
		g.err = cmd.Wait()
		if g.err == nil {
			g.err = errors.New("by itself")
		}
		close(g.ended)
	}()
	err = json.NewEncoder(input).Encode(gatewayConfig{
		Address:   opts.address.String(),
		Dir:       opts.folder.join("s3"),
		AccessKey: opts.folder.identity.AccessKey,
		SecretKey: opts.folder.identity.SecretKey,
	})
	if err != nil {
		_ = g.stop(context.WithoutCancel(ctx))
		return nil, fmt.Errorf("configuring the gateway's process: %w", err)
	}
	return g, nil
}

// stop asks the process to end, and kills it when ctx ends first.
func (g *gateway) stop(ctx context.Context) error {
	g.stopping.Store(true)
	if err := g.input.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		_ = g.cmd.Process.Kill()
	}
	select {
	case <-g.ended:
		return nil
	case <-ctx.Done():
		_ = g.cmd.Process.Kill()
		<-g.ended
		return ctx.Err()
	}
}

// makeBuckets makes the buckets that are missing, through the gateway itself,
// so that they have an owner and the credentials are known to work.
func makeBuckets(ctx context.Context, opts gatewayOptions) error {
	client := s3.New(s3.Options{
		BaseEndpoint: aws.String("http://" + opts.address.String()),
		Region:       Region,
		UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(
			opts.folder.identity.AccessKey, opts.folder.identity.SecretKey, ""),
	})
	for _, bucket := range opts.buckets {
		_, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket})
		var exists *types.BucketAlreadyOwnedByYou
		if err != nil && !errors.As(err, &exists) {
			return fmt.Errorf("making bucket %q: %w", bucket, err)
		}
	}
	return nil
}

package main

import (
	"context"
	"net"
	"net/url"
	"os"
	"path/filepath"

	"github.com/containerpub/cpub/engine/config"
	"github.com/containerpub/cpub/workflows/worker"
)

// defaultName is what messages call the configuration of a worker without a worker.hcl: -print-config shows it, with its lines.
const defaultName = "the default worker.hcl"

// defaultFile is the text of that configuration: the providers beside this program, a file store of the user's, and what is on this
// machine allowed. State is the worker's folder.
func defaultFile(ctx context.Context, state string) ([]byte, error) {
	store, err := defaultStore()
	if err != nil {
		return nil, err
	}
	providers, err := worker.LocalProviders(ctx, state)
	if err != nil {
		return nil, err
	}
	return config.Machine{
		StoreURL: store, Providers: providers, S3: localS3(), Registries: []string{"localhost:5000", "127.0.0.1:5000"},
	}.WorkerFile()
}

// defaultStore is the store that CPUB_STORE names, or the user's own, where cpub finds it.
func defaultStore() (string, error) {
	if url := os.Getenv("CPUB_STORE"); url != "" {
		return url, nil
	}
	dir, err := config.DefaultStoreDir()
	return config.FileStoreURL(dir), err
}

// localS3 is the S3 gateway that the AWS environment leads to, if that is on this machine: the keys of anything else are not given to
// whoever starts a run.
func localS3() *config.MachineS3 {
	endpoint := firstEnv("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
	if !onThisMachine(endpoint) {
		return nil
	}
	region := firstEnv("AWS_REGION", "AWS_DEFAULT_REGION")
	if region == "" {
		region = "us-east-1"
	}
	return &config.MachineS3{
		Endpoint: endpoint, Region: region, AccessKey: os.Getenv("AWS_ACCESS_KEY_ID"), SecretKey: os.Getenv("AWS_SECRET_ACCESS_KEY"),
	}
}

// onThisMachine tells whether the host of a URL is the loopback.
func onThisMachine(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

func firstEnv(names ...string) string {
	for _, name := range names {
		if value := os.Getenv(name); value != "" {
			return value
		}
	}
	return ""
}

// stateDir is the worker's own folder, absolute: what was asked for, what systemd gives, or the user's.
func stateDir(asked string) (string, error) {
	if asked != "" {
		return filepath.Abs(asked)
	}
	if dir := os.Getenv("STATE_DIRECTORY"); filepath.IsAbs(dir) {
		return dir, nil
	}
	dir, err := config.StateDir()
	return filepath.Join(dir, "worker"), err
}

package machine

import (
	"context"
	"net"
	"net/url"
	"os"

	"github.com/containerpub/cpub/engine/config"
	"github.com/containerpub/cpub/engine/host"
)

// defaultFile is the text of the configuration of a worker without a worker.hcl: the providers in the folders, a file store of the user's, and
// what is on this machine allowed.
func defaultFile(ctx context.Context, scratch string, folders []string) ([]byte, error) {
	store, err := defaultStore()
	if err != nil {
		return nil, err
	}
	if folders, err = orBeside(folders); err != nil {
		return nil, err
	}
	providers, err := providersIn(ctx, folders, scratch, host.Describe)
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

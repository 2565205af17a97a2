package stack

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

// healthPath is answered by the gateway without a signature. No bucket can
// have that name.
const healthPath = "/.health"

// gatewayConfig is what Start tells the gateway's process, on its stdin, so
// that the secret is in no process list and in no environment.
type gatewayConfig struct {
	Address   string `json:"address"`
	Dir       string `json:"dir"` // the gateway's own folder, absolute
	AccessKey string `json:"access_key"`
	SecretKey string `json:"secret_key"`
}

// ServeGateway is the S3 gateway's process: what Options.GatewayCommand has to
// end in. It reads its configuration from the first line of input, and serves
// until input ends, which it does at the latest when the stack's process dies;
// then it lets requests finish, and returns.
func ServeGateway(ctx context.Context, input io.Reader) error {
	lines := bufio.NewReader(input)
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("reading the gateway's configuration: %w", err)
	}
	var conf gatewayConfig
	if err := json.Unmarshal(line, &conf); err != nil {
		return fmt.Errorf("reading the gateway's configuration: %w", err)
	}
	backend, err := openObjects(conf.Dir)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, lines)
		cancel()
	}()
	err = embedgw.RunVersityGW(ctx, backend, &embedgw.Config{
		RootUserAccess:    conf.AccessKey,
		RootUserSecret:    conf.SecretKey,
		Region:            Region,
		IAMService:        newAccounts(conf),
		Ports:             []string{conf.Address},
		MaxConnections:    4096,
		MaxRequests:       1024,
		MultipartMaxParts: 10_000,
		Quiet:             true,
		KeepAlive:         true,
		HealthPath:        healthPath,
	})
	if err != nil {
		return fmt.Errorf("serving S3: %w", err)
	}
	return nil
}

// openObjects opens the folders of objects and of their older versions. It
// changes the working directory.
func openObjects(dir string) (*posix.Posix, error) {
	buckets, versions := filepath.Join(dir, "buckets"), filepath.Join(dir, "versions")
	for _, path := range []string{buckets, versions} {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return nil, fmt.Errorf("making the folder of objects: %w", err)
		}
	}
	opts := posix.PosixOpts{VersioningDir: versions, CopyObjectThreshold: 5 << 30}
	opts.SetNewDirPerm(0o700)
	opts.SetNewFilePerm(0o600)
	attributes, err := openAttributes(dir, buckets, &opts)
	if err != nil {
		return nil, err
	}
	backend, err := posix.New(buckets, attributes, opts)
	if err != nil {
		return nil, fmt.Errorf("opening the folder of objects: %w", err)
	}
	return backend, nil
}

// openAttributes chooses where ETags and the like are kept: in the files'
// extended attributes, or in a folder beside them where the file system has
// none. A folder that was chosen once stays chosen.
func openAttributes(dir, buckets string, opts *posix.PosixOpts) (meta.MetadataStorer, error) {
	beside := filepath.Join(dir, "attributes")
	_, err := os.Stat(beside)
	if errors.Is(err, fs.ErrNotExist) && (meta.XattrMeta{}).Test(buckets) == nil {
		return meta.XattrMeta{}, nil
	}
	if err := os.MkdirAll(beside, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of object attributes: %w", err)
	}
	store, err := meta.NewSideCar(beside)
	if err != nil {
		return nil, fmt.Errorf("opening the folder of object attributes: %w", err)
	}
	opts.SideCarDir = beside
	return store, nil
}

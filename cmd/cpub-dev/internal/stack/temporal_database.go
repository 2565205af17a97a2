package stack

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	schema "go.temporal.io/server/schema/sqlite"
	"google.golang.org/protobuf/types/known/durationpb"
)

// retention is how long closed workflows stay: long enough to look up last
// month's run on a developer's machine.
const retention = 30 * 24 * time.Hour

// searchAttributes are what our workflows tell Temporal's list of themselves.
func searchAttributes() map[string]enumspb.IndexedValueType {
	return map[string]enumspb.IndexedValueType{
		"CpubPipeline": enumspb.INDEXED_VALUE_TYPE_KEYWORD,
		"CpubStatus":   enumspb.INDEXED_VALUE_TYPE_KEYWORD,
	}
}

// openDatabase makes the database with its schema and namespace where they
// are missing, and returns how the server reaches it.
func openDatabase(path, namespace string) (*config.SQL, error) {
	if err := createDatabase(path); err != nil {
		return nil, err
	}
	conf := sqlConfig(path, map[string]string{"journal_mode": "wal", "synchronous": "normal"})
	ns, err := schema.NewNamespaceConfig(clusterName, namespace, false, searchAttributes())
	if err != nil {
		return nil, fmt.Errorf("describing namespace %q: %w", namespace, err)
	}
	ns.Detail.Config.Retention = durationpb.New(retention)
	if err := schema.CreateNamespaces(conf, ns); err != nil {
		return nil, fmt.Errorf("making namespace %q: %w", namespace, err)
	}
	return conf, nil
}

// createDatabase makes an empty database with its schema, unless there is one.
// It appears under its name only when it is complete, so that an interrupted
// first start does no harm.
func createDatabase(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	unfinished := path + ".new"
	if err := os.Remove(unfinished); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing an unfinished database: %w", err)
	}
	if err := schema.SetupSchema(sqlConfig(unfinished, nil)); err != nil {
		return fmt.Errorf("making the database: %w", err)
	}
	if err := os.Rename(unfinished, path); err != nil {
		return fmt.Errorf("making the database: %w", err)
	}
	return nil
}

// sqlConfig describes the SQLite database at path. It is opened by one
// connection: with more, writers meet and fail as busy.
func sqlConfig(path string, pragmas map[string]string) *config.SQL {
	attributes := map[string]string{"mode": "rwc"}
	for name, value := range pragmas {
		attributes[name] = value
	}
	return &config.SQL{
		PluginName:        sqlite.PluginName,
		DatabaseName:      (&url.URL{Path: path}).EscapedPath(), // becomes part of a URI
		ConnectAttributes: attributes,
		MaxConns:          1,
		MaxIdleConns:      1,
	}
}

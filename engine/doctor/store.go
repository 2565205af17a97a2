package doctor

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/containerpub/cpub/engine/artifact"
	"github.com/containerpub/cpub/sdk"
)

// What is looked at of the store.
const (
	nameStoreNamed     = "store_named"
	nameStoreOpen      = "store_open"
	nameStoreWrite     = "store_write"
	nameStoreCondition = "store_condition"
	nameStoreClock     = "store_clock"
	nameStoreSpace     = "store_space"
	nameStoreInodes    = "store_inodes"
	nameStoreMode      = "store_mode"
)

// storeTime is how long the store may take to open, and to be tried.
const storeTime = 15 * time.Second

// store looks at the store of plans, artifacts and logs.
func store(ctx context.Context, raw string) []Finding {
	u, err := url.Parse(raw)
	if raw == "" || err != nil {
		return []Finding{fault(GroupStore, nameStoreNamed, "", "no store is named", "write `store { url = … }` into worker.hcl, or set CPUB_STORE, for the worker and for cpub")}
	}
	found := []Finding{fine(GroupStore, nameStoreNamed, "", "%s", u.Redacted())}
	dir := ""
	if u.Scheme == "file" {
		dir = filepath.FromSlash(u.Path)
		if _, err := os.Stat(dir); os.IsNotExist(err) {
			if u.Query().Get("create_dir") != "" {
				return append(found, fine(GroupStore, nameStoreOpen, "", "the folder %s is made when a worker first starts", dir))
			}
			return append(found, fault(GroupStore, nameStoreOpen, "", "the folder "+dir+" is not there", fmt.Sprintf("make it, as the worker's user: `mkdir -p -m 700 %s`", dir),
				sdk.Fix{Kind: sdk.FixFolder, Path: dir, Mode: 0o700}))
		}
	}
	found = append(found, try(ctx, raw)...)
	if dir != "" {
		found = append(found, usage(GroupStore, nameStoreSpace, nameStoreInodes, "", dir)...)
		found = append(found, storeMode(dir)...)
	}
	return found
}

// try writes to the store, and removes what it wrote.
func try(ctx context.Context, raw string) []Finding {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	s, err := artifact.Open(ctx, raw)
	if err != nil {
		return []Finding{fault(GroupStore, nameStoreOpen, "", err.Error(),
			"check the URL, whether the store runs, and the credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile, for s3://)")}
	}
	defer func() { _ = s.Close() }() // nothing is open
	found := []Finding{fine(GroupStore, nameStoreOpen, "", "it answers")}
	before := time.Now()
	p := s.Probe(ctx)
	return append(found, probed(p, before, time.Now())...)
}

// probed judges what became of an object that was written between two moments.
func probed(p artifact.Probe, before, after time.Time) (found []Finding) {
	if p.Err != nil {
		return append(found, fault(GroupStore, nameStoreWrite, "", p.Err.Error(), "let the worker, and those who use cpub, read, write and delete there"))
	}
	found = append(found, fine(GroupStore, nameStoreWrite, "", "objects can be written, read and deleted"))
	if p.Overwrites {
		found = append(found, fault(GroupStore, nameStoreCondition, "", "it overwrites what was to be written only where there is nothing: logs of a step that two workers write lose lines",
			"use a store that heeds `If-None-Match: *`, as Amazon S3, versitygw and file:// do"))
	} else {
		found = append(found, fine(GroupStore, nameStoreCondition, "", "it heeds the condition that there be nothing yet"))
	}
	if !p.Time.IsZero() {
		found = append(found, clock(GroupStore, nameStoreClock, "", p.Time, before, after))
	}
	return found
}

// clock compares another machine's time, which it told between two moments of ours.
func clock(group, name, subject string, theirs, before, after time.Time) Finding {
	skew := time.Duration(0)
	switch {
	case theirs.Before(before.Add(-time.Second)): // they tell whole seconds
		skew = before.Sub(theirs)
	case theirs.After(after):
		skew = theirs.Sub(after)
	}
	if skew <= maxSkew {
		return fine(group, name, subject, "its clock and this machine's agree")
	}
	return fault(group, name, subject, fmt.Sprintf("its clock says %s, this machine's %s: signatures and leases count as outdated, or as not valid yet",
		theirs.UTC().Format(time.DateTime), after.UTC().Format(time.DateTime)), "set the clocks by NTP on both: `timedatectl set-ntp true`, or `chronyc makestep`")
}

// storeMode looks at who may change the folder, or see into it.
func storeMode(dir string) []Finding {
	info, err := os.Stat(dir)
	if err != nil {
		return nil // told when it is opened
	}
	perm := info.Mode().Perm()
	fix := sdk.Fix{Kind: sdk.FixMode, Path: dir, Mode: uint32(perm &^ 0o007)}
	switch {
	case perm&0o002 != 0:
		return []Finding{fault(GroupStore, nameStoreMode, "", fmt.Sprintf("everybody on this machine may change %s (%04o), and with it what pipelines do", dir, perm), "`chmod o= "+dir+"`", fix)}
	case perm&0o005 == 0o005 && entered(filepath.Dir(dir)):
		return []Finding{warning(GroupStore, nameStoreMode, "", fmt.Sprintf("everybody on this machine may read %s (%04o): plans, logs and artifacts", dir, perm), "`chmod o= "+dir+"`", fix)}
	}
	return []Finding{fine(GroupStore, nameStoreMode, "", "others on this machine neither change it nor see into it")}
}

// entered tells whether others may go through a folder and all above it.
func entered(dir string) bool {
	for {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return true
		}
		dir = parent
	}
}

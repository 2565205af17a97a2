package host

import (
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/containerpub/cpub/sdk"
)

// The findings of Diagnose, in the order in which an instance comes to them. One that fails is the last, apart from those of the provider's
// own Check.
const (
	FindingBinary    = "provider_binary"    // the program is there
	FindingChecksum  = "provider_checksum"  // it is the one that worker.hcl means
	FindingVersion   = "provider_version"   // it was built together with this program
	FindingProtocol  = "provider_protocol"  // it speaks a protocol that is known here
	FindingStart     = "provider_start"     // it starts, and says what it is
	FindingConfig    = "provider_config"    // the config block fits what it takes
	FindingConfigure = "provider_configure" // it takes its configuration
	FindingCheck     = "provider_check"     // it says what is wrong with its surroundings
)

// Diagnosis is what a look at one instance gave.
type Diagnosis struct {
	Instance string
	// Info is zero where the provider did not get as far as saying what it is, Location empty where it took no configuration.
	Info     sdk.Info
	Location string
	Findings []sdk.Finding
}

// DiagnoseOptions are what Diagnose needs.
type DiagnoseOptions struct {
	Instances  []Instance
	Registries []sdk.Registry
	// Buckets are the patterns that the policy allows.
	Buckets []string
	// Config gives an instance's configuration, which is checked against what the provider takes; nil takes that of the instance.
	Config func(i Instance, info sdk.Info) (json.RawMessage, error)
	// StateDir is an absolute folder for the time of the look.
	StateDir string
	// Version is that of this program, as Go knows it; empty does not compare.
	Version string
	// Logger takes what the providers have to say; nil discards it.
	Logger *slog.Logger

	times times
}

// How long the parts of a look may take.
const (
	diagnoseConfigure = 45 * time.Second
	diagnoseCheck     = time.Minute
)

// Diagnose starts each instance in a process of its own as a worker does, configures it, asks what is wrong with its surroundings, whether it
// took its configuration or not, and stops it. What keeps one instance from working is a finding, and hides nothing of the others. An
// error is about the folders of this program alone.
func Diagnose(ctx context.Context, o DiagnoseOptions) (all []Diagnosis, err error) {
	r, err := newRooms(o.StateDir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.times = o.times.withDefaults()
	d := diagnoser{DiagnoseOptions: o, rooms: r, spawner: newSpawner()}
	defer d.spawner.close()
	all = make([]Diagnosis, len(o.Instances))
	var looks sync.WaitGroup
	for n, in := range o.Instances {
		looks.Go(func() {
			all[n].Instance = in.ID()
			d.look(ctx, in, &all[n])
		})
	}
	looks.Wait()
	return all, nil
}

type diagnoser struct {
	DiagnoseOptions

	rooms   *rooms
	spawner *spawner
}

// look looks at one instance.
func (d *diagnoser) look(ctx context.Context, in Instance, to *Diagnosis) {
	binary, ok := d.binary(in, to)
	if !ok {
		return
	}
	s, err := launch(ctx, launchOptions{
		binary: binary, env: in.Env, log: d.Logger.With("provider", in.ID()), spawner: d.spawner, sockets: d.rooms.sockets.Dir(), times: d.times,
	})
	if err != nil {
		to.add(startFinding(in, err))
		return
	}
	defer s.end()
	to.add(sdk.Finding{Name: FindingProtocol, OK: true, Detail: "it speaks the protocol of this program"})
	describing, cancel := context.WithTimeout(ctx, d.times.start)
	defer cancel()
	if to.Info, err = s.Describe(describing); err == nil && to.Info.Name != in.Provider {
		err = fmt.Errorf("the binary %s is provider %q, and not %q", in.Path, to.Info.Name, in.Provider)
	}
	if err != nil {
		to.add(startFinding(in, err))
		return
	}
	to.add(sdk.Finding{Name: FindingStart, OK: true, Detail: strings.TrimSpace("it starts: " + to.Info.Name + " " + to.Info.Version)})
	d.configure(ctx, in, s, to)
	to.check(ctx, s)
}

// binary looks at the program before it is started.
func (d *diagnoser) binary(in Instance, to *Diagnosis) (string, bool) {
	info, err := os.Stat(in.Path)
	switch {
	case err != nil:
		to.add(sdk.Finding{
			Name: FindingBinary, Detail: err.Error(), Remedy: "install the provider beside cpub-worker, or name it in `path` of its block in worker.hcl",
		})
		return "", false
	case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
		to.add(sdk.Finding{Name: FindingBinary, Detail: in.Path + " is no program", Remedy: "name one in `path` of its block in worker.hcl; or, if it is: `chmod 755 " + in.Path + "`"})
		return "", false
	}
	to.add(sdk.Finding{Name: FindingBinary, OK: true, Detail: in.Path})
	binary, err := d.rooms.copyBinary(in.Path, in.SHA256)
	var wrong *checksumError
	switch {
	case errors.As(err, &wrong):
		to.add(sdk.Finding{
			Name: FindingChecksum, Detail: fmt.Sprintf("%s has sha256 %s, and worker.hcl says %s", wrong.path, wrong.got, wrong.want),
			Remedy: "install the provider that worker.hcl means; or, if this one is right, write its sum into `sha256`: `sha256sum " + in.Path + "`",
		})
		return "", false
	case err != nil:
		to.add(sdk.Finding{Name: FindingBinary, Detail: err.Error(), Remedy: "let this user read it, and write to " + d.StateDir})
		return "", false
	case in.SHA256 != "":
		to.add(sdk.Finding{Name: FindingChecksum, OK: true, Detail: "it has the sha256 of worker.hcl"})
	}
	if built, err := buildinfo.ReadFile(binary); err == nil && d.Version != "" {
		to.add(versionFinding(d.Version, built.Main.Path, built.Main.Version))
	}
	return binary, true
}

// ours is the module whose providers are released together with this program.
const ours = "github.com/containerpub/cpub"

// versionFinding compares what was built from one module.
func versionFinding(version, module, theirs string) sdk.Finding {
	f := sdk.Finding{Name: FindingVersion, OK: true, Detail: "its version is " + theirs}
	if module == ours && theirs != version {
		f.OK, f.Warning = false, true
		f.Detail = fmt.Sprintf("it is of version %s, and this program of %s: they were not released together", theirs, version)
		f.Remedy = "install cpub, cpub-worker and the providers of one release"
	}
	return f
}

// startFinding tells why a provider does not start.
func startFinding(in Instance, err error) sdk.Finding {
	if strings.Contains(strings.ToLower(err.Error()), "incompatible api version") {
		return sdk.Finding{
			Name: FindingProtocol, Detail: fmt.Sprintf("it speaks another version of the protocol: %v", err),
			Remedy: "install the provider in a version that was made for this one of cpub",
		}
	}
	remedy := "run it by hand: `" + in.Path + "` says what it is and what it lacks; install a provider of ContainerPub that was made for this machine"
	if strings.Contains(err.Error(), "is provider") {
		remedy = "name the right program in `path` of its block in worker.hcl"
	}
	return sdk.Finding{Name: FindingStart, Detail: err.Error(), Remedy: remedy}
}

// configure gives the instance its configuration.
func (d *diagnoser) configure(ctx context.Context, in Instance, s *session, to *Diagnosis) {
	config, err := in.Config, error(nil)
	if d.Config != nil {
		config, err = d.Config(in, to.Info)
	}
	if len(config) == 0 {
		config = []byte("{}")
	}
	if err == nil {
		var wrong []error
		for _, p := range to.Info.Config.CheckInput(config) {
			wrong = append(wrong, p)
		}
		err = errors.Join(wrong...)
	}
	if err != nil {
		to.add(sdk.Finding{Name: FindingConfig, Detail: err.Error(), Remedy: "correct the config block of " + in.ID() + " in worker.hcl; its provider takes what `cpub provider schema` shows"})
		return
	}
	to.add(sdk.Finding{Name: FindingConfig, OK: true, Detail: "its config block fits"})
	stateDir, err := d.rooms.stateDir(in.ID())
	if err == nil {
		limited, cancel := context.WithTimeout(ctx, diagnoseConfigure)
		defer cancel()
		to.Location, err = s.Configure(limited, sdk.Configuration{
			Instance: in.Name, Config: config, Registries: d.Registries, Buckets: d.Buckets, StateDir: stateDir, Secrets: in.Secrets,
		})
	}
	if err != nil {
		to.add(sdk.Finding{Name: FindingConfigure, Detail: err.Error(), Remedy: "see what else is wrong with " + in.ID() + " below, and its config block in worker.hcl"})
		return
	}
	detail := "it takes its configuration"
	if to.Location != "" {
		detail += "; what is made there has the location " + to.Location
	}
	to.add(sdk.Finding{Name: FindingConfigure, OK: true, Detail: detail})
}

// check asks the provider itself.
func (to *Diagnosis) check(ctx context.Context, s *session) {
	ctx, cancel := context.WithTimeout(ctx, diagnoseCheck)
	defer cancel()
	found, err := s.Check(ctx)
	to.Findings = append(to.Findings, found...)
	if err != nil {
		to.add(sdk.Finding{Name: FindingCheck, Detail: fmt.Sprintf("it does not say what is wrong with its surroundings: %v", err), Remedy: "report it to whoever makes the provider"})
		return
	}
	to.add(sdk.Finding{Name: FindingCheck, OK: true, Detail: fmt.Sprintf("it looked at %d things", len(found))})
}

func (to *Diagnosis) add(f sdk.Finding) { to.Findings = append(to.Findings, f) }

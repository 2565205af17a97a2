package contract

import (
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/sdk/schema"
)

// The abilities of container_run.
const (
	AbilityFiles   = "files"
	AbilityCollect = "collect"
	AbilityMount   = "mount"
	AbilityUserns  = "userns"
	AbilitySeccomp = "seccomp"
	AbilitySELinux = "selinux"
	AbilityUlimits = "ulimits"
)

// ContainerRun runs one container to its end, under limits that are proven before the user's code starts.
func ContainerRun() Type {
	return Type{
		Name: "container_run",
		Doc: "Runs one container to its end. Safe unless told otherwise: no network, all capabilities dropped, no new privileges, a read-only " +
			"root with a tmpfs on /tmp, and limits of memory, CPU, processes and time. A limit that cannot be enforced fails the step " +
			"before the image's code starts.",
		Step: schema.Step{
			Input:  schema.Object{Attrs: append(containerCore(), containerExtras()...), Blocks: containerBlocks()},
			Output: schema.Object{Attrs: containerOutputs()},
		},
		Abilities: []Ability{
			{Name: AbilityFiles, Inputs: []string{"files"}},
			{Name: AbilityCollect, Inputs: []string{"collect", "collect_limit"}, Outputs: []string{"collected"}},
			{Name: AbilityMount, Inputs: []string{"mount"}},
			{Name: AbilityUserns, Inputs: []string{"userns"}},
			{Name: AbilitySeccomp, Inputs: []string{"seccomp"}},
			{Name: AbilitySELinux, Inputs: []string{"selinux"}},
			{Name: AbilityUlimits, Inputs: []string{"ulimits"}},
			{Name: AbilityHealthcheck, Inputs: []string{"healthcheck"}},
			{Name: AbilitySidecar, Inputs: []string{"sidecar"}},
		},
	}
}

// containerCore is what every provider of containers serves.
func containerCore() []schema.Attr {
	return []schema.Attr{
		{
			Name: "image", Type: cty.DynamicPseudoType, Located: true, Required: true,
			Doc: "The image: the output of image_build or image_pull, or a reference such as `HOST/NAME@sha256:…` that is pulled where needed.",
		},
		list("command", "The command and its arguments; the image's own if left out."),
		text("script", "A shell script instead of a command: the image's `/bin/sh -e` runs it, without the image's entrypoint."),
		secrets(dict("env", "Environment variables, beside the image's own.")),
		secrets(text("stdin", "Text for the standard input; empty if left out.")),
		text("workdir", "The working directory; the image's own if left out."),
		text("user", "User, or user:group; the image's own if left out."),
		defaults(size("memory", "The most memory. More ends the container as `oom`."), `"128m"`),
		size("memory_swap", "Memory and swap together; the same as `memory` if left out, which means no swap."),
		defaults(number("cpus", "CPUs, such as 0.5."), "0.5"),
		defaults(number("pids", "The most processes and threads."), "256"),
		defaults(text("network", "The network. Others than none must be allowed by the policy."), `"none"`),
		defaults(duration("time_limit", "Of the container itself, pulling and queueing excluded. More ends it as `time_limit`."), `"5s"`),
		defaults(duration("grace", "Time between SIGTERM and SIGKILL when the container is stopped."), `"1s"`),
		defaults(flag("read_only", "Whether the root is read-only."), "true"),
		{
			Name: "tmpfs", Type: cty.Map(cty.String), Default: `{ "/tmp" = "64m" }`,
			Doc: "Folders in memory (they count as the container's memory) and their sizes.",
		},
		list("cap_add", "Capabilities to add to none at all; the policy must allow each."),
		list("cap_drop", "Capabilities to take away from cap_add. All others are dropped anyway."),
		dict("labels", "Labels of the container."),
		{Name: "success_exit_codes", Type: cty.List(cty.Number), Default: "[0]", Doc: "Exit codes that are a success."},
		defaults(size("output_limit", "The most of stdout, and of stderr, that the outputs hold; the log has the whole."), `"16KiB"`),
		flag("allow_unenforced_limits", "Run even where a limit cannot be enforced; the policy must allow it."),
	}
}

// containerExtras are the attributes of the abilities.
func containerExtras() []schema.Attr {
	userns := text("userns", "The user namespace. `auto` where the host allows one, if left out; what the host cannot give is refused: "+
		"`keep-id` and `nomap` need a rootless runtime. `host` must be allowed by the policy.")
	userns.Enum = []string{"auto", "keep-id", "nomap", "host"}
	return []schema.Attr{
		{
			Name: "files", Type: cty.Map(schema.ArtifactType), Format: schema.FormatArtifact,
			Doc: "Files and directories of other steps, by their path in the container. They are copied in before it starts, and belong to its user.",
		},
		dict("collect", "What becomes outputs in `collected`: a path in the container by each name, of a file, or with a `/` at its end of a folder. "+
			"With a read-only root, the folder (or the one that the file lies in) is made writable; it must not be in memory."),
		defaults(size("collect_limit", "The most bytes that all that is collected may have together."), `"64MiB"`),
		userns,
		defaults(text("seccomp", "The filter of system calls: `default`, `unconfined`, or a profile as JSON, such as `file(\"profile.json\")`. "+
			"Others than the default must be allowed by the policy."), `"default"`),
		list("selinux", "SELinux options of the container's label, such as `type:container_t`; the policy must allow each. Refused where there is no SELinux."),
		dict("ulimits", "Limits of each process by their names without RLIMIT_, such as `nofile = \"1024\"` or `\"512:1024\"` (soft:hard); "+
			"sizes in bytes, times in seconds."),
	}
}

func containerBlocks() []schema.Block {
	return []schema.Block{
		mountBlock(),
		healthcheckBlock("A command in the container that tells whether it is well. One that is unhealthy is stopped, and the step fails as `unhealthy`."),
		sidecarBlock(),
	}
}

// mountBlock is what is mounted into a container.
func mountBlock() schema.Block {
	relabel := text("relabel", "SELinux: gives the content a label that containers may use; `shared` by all, or `private` to this one.")
	relabel.Enum = []string{"shared", "private"}
	return schema.Block{
		Name: "mount", Nesting: schema.NestingList,
		Doc: "Mounts something at a path in the container. It has exactly one of `artifact`, `volume`, `tmpfs` and `host_path`.",
		Object: schema.Object{Attrs: []schema.Attr{
			required(text("path", "Where it is mounted: an absolute path in the container.")),
			{Name: "artifact", Type: schema.ArtifactType, Format: schema.FormatArtifact, Doc: "A file or directory of another step, read-only."},
			text("volume", "A named volume, which is made where it does not exist and stays; the policy must allow it."),
			size("tmpfs", "A folder in memory, of that size at most (it counts as the container's memory)."),
			text("host_path", "A path of the host that runs the container; the policy must allow it, and writing to it too."),
			flag("read_only", "Whether it is read-only: artifacts always are, a host_path unless this is false, a volume if this is true."),
			relabel,
		}},
	}
}

func containerOutputs() []schema.Attr {
	return []schema.Attr{
		number("exit_code", "The exit code."),
		text("stdout", "What it wrote to stdout, up to `output_limit`."),
		text("stderr", "What it wrote to stderr, up to `output_limit`."),
		flag("truncated", "Whether stdout or stderr were longer."),
		schema.File("log", "The whole output."),
		{
			Name: "collected", Type: cty.Map(schema.ArtifactType), Format: schema.FormatArtifact,
			Doc: "What was collected, by the names in `collect`: a file, or a directory where the path has a `/` at its end.",
		},
		{Name: "receipt", Type: ReceiptType, Doc: "What was enforced and what was used."},
	}
}

// ReceiptType is the type of container_run's receipt. Memory in bytes, CPU in seconds, times in milliseconds; a counter that the
// host does not keep is null.
var ReceiptType = cty.Object(map[string]cty.Type{
	"limits": cty.Object(map[string]cty.Type{
		"memory": cty.Number, "memory_swap": cty.Number, "cpus": cty.Number, "pids": cty.Number,
		"network": cty.String, "time_limit_ms": cty.Number, "read_only": cty.Bool,
		"capabilities": cty.List(cty.String), "no_new_privileges": cty.Bool, "userns": cty.String,
	}),
	"memory_peak": cty.Number, "cpu_time": cty.Number, "cpu_throttled": cty.Number, "pids_peak": cty.Number,
	"queued_ms": cty.Number, "pull_ms": cty.Number, "create_ms": cty.Number, "run_ms": cty.Number, "cleanup_ms": cty.Number,
	"ended_by": cty.String, "started_at": cty.String, "host": cty.String,
})

// Receipt is ReceiptType for providers written in Go.
type Receipt struct {
	Limits       Limits   `json:"limits"`
	MemoryPeak   *int64   `json:"memory_peak"`
	CPUTime      *float64 `json:"cpu_time"`
	CPUThrottled *float64 `json:"cpu_throttled"`
	PidsPeak     *int64   `json:"pids_peak"`
	QueuedMS     int64    `json:"queued_ms"`
	PullMS       int64    `json:"pull_ms"`
	CreateMS     int64    `json:"create_ms"`
	RunMS        int64    `json:"run_ms"`
	CleanupMS    int64    `json:"cleanup_ms"`
	EndedBy      string   `json:"ended_by"`   // EndedBy…
	StartedAt    string   `json:"started_at"` // RFC 3339
	Host         string   `json:"host"`
}

// Limits are what was read back from the container before its code started.
type Limits struct {
	Memory          int64    `json:"memory"`
	MemorySwap      int64    `json:"memory_swap"`
	CPUs            float64  `json:"cpus"`
	Pids            int64    `json:"pids"`
	Network         string   `json:"network"`
	TimeLimitMS     int64    `json:"time_limit_ms"`
	ReadOnly        bool     `json:"read_only"`
	Capabilities    []string `json:"capabilities"`
	NoNewPrivileges bool     `json:"no_new_privileges"`
	Userns          string   `json:"userns"`
}

// What a container was ended by.
const (
	EndedByExit      = "exit"
	EndedByOOM       = "oom"
	EndedByTimeLimit = "time_limit"
	EndedBySignal    = "signal"
	EndedByCancelled = "cancelled"
	EndedByUnhealthy = "unhealthy" // stopped since its healthcheck failed
	EndedBySidecar   = "sidecar"   // stopped since one of its sidecars failed
)

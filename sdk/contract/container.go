package contract

import (
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/sdk/schema"
)

// ContainerRun runs one container to its end, under limits that are proven before the user's code starts.
func ContainerRun() Type {
	image := schema.Attr{
		Name: "image", Type: cty.DynamicPseudoType, Located: true, Required: true,
		Doc: "The image: the output of image_build or image_pull, or a reference such as `HOST/NAME@sha256:…` that is pulled where needed.",
	}
	userns := text("userns", "The user namespace; `auto` where the host allows one, if left out.")
	userns.Enum = []string{"auto", "keep-id", "nomap", "host"}
	return Type{
		Name: "container_run",
		Doc: "Runs one container to its end. Safe unless told otherwise: no network, all capabilities dropped, no new privileges, a read-only " +
			"root with a tmpfs on /tmp, and limits of memory, CPU, processes and time. A limit that cannot be enforced fails the step " +
			"before the image's code starts.",
		Step: schema.Step{
			Input: schema.Object{Attrs: []schema.Attr{
				image,
				list("command", "The command and its arguments; the image's own if left out."),
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
				userns,
				dict("labels", "Labels of the container."),
				{Name: "success_exit_codes", Type: cty.List(cty.Number), Default: "[0]", Doc: "Exit codes that are a success."},
				defaults(size("output_limit", "The most of stdout, and of stderr, that the outputs hold; the log has the whole."), `"16KiB"`),
				flag("allow_unenforced_limits", "Run even where a limit cannot be enforced; the policy must allow it."),
			}},
			Output: schema.Object{Attrs: []schema.Attr{
				number("exit_code", "The exit code."),
				text("stdout", "What it wrote to stdout, up to `output_limit`."),
				text("stderr", "What it wrote to stderr, up to `output_limit`."),
				flag("truncated", "Whether stdout or stderr were longer."),
				schema.File("log", "The whole output."),
				{Name: "receipt", Type: ReceiptType, Doc: "What was enforced and what was used."},
			}},
		},
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
)

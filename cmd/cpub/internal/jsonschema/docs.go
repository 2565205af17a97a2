package jsonschema

import "github.com/zclconf/go-cty/cty"

// types are those of the language's own attributes; one that is not here takes any value.
var types = map[string]cty.Type{
	"description": cty.String, "required_version": cty.String, "sensitive": cty.Bool, "nullable": cty.Bool,
	"timeout": cty.String, "queue_timeout": cty.String, "labels": cty.Map(cty.String), "max_parallel": cty.Number,
	"when": cty.Bool, "max_attempts": cty.Number, "initial_interval": cty.String, "backoff_coefficient": cty.Number,
	"max_interval": cty.String, "on": cty.List(cty.String), "condition": cty.Bool, "error_message": cty.String, "limit": cty.Number,
	"on_limit": cty.String, "interval": cty.String, "timezone": cty.String, "offset": cty.String, "jitter": cty.String,
	"catchup_window": cty.String, "pause_on_failure": cty.Bool, "paused": cty.Bool, "overlap": cty.String, "schedule.pipeline": cty.String,
}

// docs are shown by editors: of blocks, and of attributes by name or by block and name.
var docs = map[string]string{
	"cpub":                "What this module asks of cpub itself.",
	"required_version":    "Which versions of cpub can run this module, such as \">= 0.1\".",
	"variable":            "A value that is given when a run starts: {NAME: {…}}.",
	"variable.type":       "The type, as text: \"string\", \"list(string)\", \"object({ n = number })\".",
	"default":             "The value when none is given. Without one, the variable must be given.",
	"sensitive":           "The value is never shown.",
	"nullable":            "Whether null is a value; otherwise it stands for the default.",
	"validation":          "A condition that values must meet.",
	"locals":              "Names for expressions: {NAME: VALUE}.",
	"pipeline":            "A pipeline: {NAME: {…}}.",
	"step":                "A step: {TYPE: {NAME: {…}}}. Several of one type are one object by name, or an array, which keeps their order.",
	"output":              "What a run gives: {NAME: {…}}.",
	"description":         "A text for the reader.",
	"pipeline.timeout":    "How long a whole run may take, such as \"15m\".",
	"max_parallel":        "How many run at once.",
	"labels":              "Texts by which runs are found.",
	"depends_on":          "Steps to wait for without referring to them, as names: [\"step.build\"].",
	"when":                "The step is skipped where this is false.",
	"provider":            "The provider instance that carries it out, as a name: \"podman.builder\".",
	"step.timeout":        "How long one attempt may take, waiting for a worker excluded.",
	"queue_timeout":       "How long it may wait for a worker.",
	"retry":               "How often and when a failed step is tried again.",
	"max_attempts":        "How many attempts there are.",
	"initial_interval":    "The wait before the second attempt.",
	"backoff_coefficient": "By how much each wait is longer than the one before.",
	"max_interval":        "The longest wait between two attempts.",
	"on":                  "Failures to try again though they are final by nature: exit, oom, time_limit, unhealthy, sidecar, timeout.",
	"schedule":            "When runs of a pipeline begin by themselves: {NAME: {…}}. cpub schedule apply puts it into Temporal.",
	"schedule.pipeline":   "The pipeline to run, one of this module.",
	"schedule.interval":   "The time between two runs, such as \"1h\".",
	"cron":                "When runs begin: \"0 2 * * *\" is at two every night. Several are an array.",
	"offset":              "By how much the interval is moved.",
	"timezone":            "Of cron: a name such as \"Europe/Zurich\". UTC if left out.",
	"schedule.variables":  "The variables of the runs: values that are known before any of them begins.",
	"overlap":             "What happens when an earlier run is still under way: skip (if left out), buffer_one, buffer_all, cancel_other, terminate_other, allow_all.",
	"jitter":              "The most that a run begins later than its time.",
	"catchup_window":      "How late a run may be begun that could not be in time. A year if left out.",
	"pause_on_failure":    "Whether a failed run pauses the schedule.",
	"paused":              "Whether the schedule is paused. If left out, cpub schedule pause and resume decide.",
	"condition":           "An expression that must be true.",
	"error_message":       "What is said where the condition is false.",
}

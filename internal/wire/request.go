package wire

import (
	"time"

	"github.com/containerpub/cpub/internal/wire/pb"
	"github.com/containerpub/cpub/sdk"
)

// fromRequest leaves out Host, which is the stream itself.
func fromRequest(r *sdk.Request, heartbeat time.Duration) *pb.Start {
	return &pb.Start{
		StepType: r.StepType, Step: validUTF8(r.Step), Run: validUTF8(r.Run), Pipeline: validUTF8(r.Pipeline), Key: r.Key,
		Attempt: int32(min(r.Attempt, 1<<30)), Returned: r.Returned, //nolint:gosec // bounded in the line itself
		Input: r.Input, Checkpoint: r.Checkpoint,
		Rules: fromRules(r.Rules), Scratch: r.Scratch, Files: r.Files, HeartbeatIntervalMs: toMillis(heartbeat),
		QueuedMs: toMillis(r.Queued), Secrets: fromSecretTexts(r.Secrets),
	}
}

func toRequest(s *pb.Start, host sdk.Host) *sdk.Request {
	return &sdk.Request{
		StepType: s.GetStepType(), Step: s.GetStep(), Run: s.GetRun(), Pipeline: s.GetPipeline(), Key: s.GetKey(),
		Attempt: int(s.GetAttempt()), Returned: s.GetReturned(), Input: s.GetInput(), Checkpoint: s.GetCheckpoint(),
		Rules: toRules(s.GetRules()), Scratch: s.GetScratch(), Files: s.GetFiles(), Host: host,
		Queued: time.Duration(s.GetQueuedMs()) * time.Millisecond, Secrets: toSecretTexts(s.GetSecrets()),
	}
}

func fromRules(r sdk.Rules) *pb.Rules {
	return &pb.Rules{PullFrom: r.PullFrom, BuildFrom: r.BuildFrom, CacheMounts: r.CacheMounts, HostPaths: r.HostPaths, Source: r.Source}
}

func toRules(r *pb.Rules) sdk.Rules {
	return sdk.Rules{
		PullFrom: r.GetPullFrom(), BuildFrom: r.GetBuildFrom(), CacheMounts: r.GetCacheMounts(), HostPaths: r.GetHostPaths(), Source: r.GetSource(),
	}
}

package wire

import (
	"github.com/containerpub/cpub/internal/wire/pb"
	"github.com/containerpub/cpub/sdk"
)

func fromConfiguration(c sdk.Configuration) *pb.ConfigureRequest {
	out := &pb.ConfigureRequest{Instance: c.Instance, Config: c.Config, StateDir: c.StateDir, Buckets: c.Buckets}
	for _, r := range c.Registries {
		out.Registries = append(out.Registries, fromRegistry(r))
	}
	for _, s := range c.Secrets {
		out.Secrets = append(out.Secrets, &pb.Secret{Name: s.Name, Value: s.Value, StepTypes: s.StepTypes})
	}
	return out
}

// toConfiguration leaves out the secrets, which are the server's to keep.
func toConfiguration(r *pb.ConfigureRequest) sdk.Configuration {
	out := sdk.Configuration{Instance: r.GetInstance(), Config: r.GetConfig(), StateDir: r.GetStateDir(), Buckets: r.GetBuckets()}
	for _, reg := range r.GetRegistries() {
		out.Registries = append(out.Registries, toRegistry(reg))
	}
	return out
}

func fromRegistry(r sdk.Registry) *pb.Registry {
	return &pb.Registry{Host: r.Host, Insecure: r.Insecure, Username: r.Username, Password: r.Password, Ca: r.CA}
}

func toRegistry(r *pb.Registry) sdk.Registry {
	return sdk.Registry{
		Host: r.GetHost(), Insecure: r.GetInsecure(), Username: r.GetUsername(), Password: r.GetPassword(), CA: r.GetCa(),
	}
}

package image

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/containers/podman/v5/pkg/bindings/images"
)

// services is where the names are that keep the images of services: a service that is stopped has no container that would.
const services = "localhost/cpub/service-"

// ServiceImage is the name of the image that a service is made of, by the digest of what was asked for.
func ServiceImage(service, digest string) string { return services + service + ":" + digest[:16] }

// KeepForService gives the image the service's name.
func (s *Store) KeepForService(ctx context.Context, id, service, digest string) error {
	repo, tag, _ := strings.Cut(ServiceImage(service, digest), ":")
	call, cancel := s.Client.Context(ctx)
	defer cancel()
	if err := images.Tag(call, id, tag, repo, nil); err != nil {
		return fmt.Errorf("keeping the image for the service: %w", err)
	}
	return nil
}

// DropForService removes the service's other names, with the images that have no other; an empty digest: all.
func (s *Store) DropForService(ctx context.Context, service, digest string) error {
	call, cancel := s.Client.Context(ctx)
	defer cancel()
	keep := ""
	if digest != "" {
		keep = ServiceImage(service, digest)
	}
	all, err := images.List(call, new(images.ListOptions).WithFilters(map[string][]string{"reference": {services + service}}))
	if err != nil {
		return fmt.Errorf("listing the images of the service: %w", err)
	}
	var errs []error
	for _, i := range all {
		for _, name := range i.RepoTags {
			if name == keep || !strings.HasPrefix(name, services+service+":") {
				continue
			}
			_, removed := images.Remove(call, []string{name}, nil)
			errs = append(errs, removed...)
		}
	}
	return errors.Join(errs...)
}

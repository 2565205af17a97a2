//go:build !linux

package doctor

import "errors"

func usageOf(string) (space, error) { return space{}, errors.ErrUnsupported }

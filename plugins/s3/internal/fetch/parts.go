package fetch

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"

	"github.com/containerpub/cpub/plugins/s3/internal/fault"
)

const (
	// partTries is how often a range is asked for before the download fails: each goes on where the last one was cut off.
	partTries = 5
	// stallTimeout is how long a server may send nothing in the middle of a body.
	stallTimeout = time.Minute
	retryPause   = 200 * time.Millisecond
)

var errStalled = errors.New("the server sends nothing any more")

// parts downloads what is missing. first is the body of an answer for the whole object, from which the first part is read.
func (f *fetcher) parts(ctx context.Context, dl *download, first io.ReadCloser) error {
	missing := dl.missing()
	done := &atomic.Int64{}
	done.Store(dl.id.Size)
	for _, n := range missing {
		_, length := dl.span(n)
		done.Add(-length)
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(f.opts.Concurrency)
	if len(missing) == 0 || missing[0] != 0 {
		_ = first.Close() // free the connection before the others start
	}
	for _, n := range missing {
		var body io.ReadCloser
		if n == 0 {
			body = first
		}
		g.Go(func() error {
			if err := gctx.Err(); err != nil {
				return err
			}
			return f.part(gctx, dl, n, body, func(k int) { f.opts.Progress(done.Add(int64(k)), dl.id.Size) })
		})
	}
	err := g.Wait()
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// part downloads one part. body is a body that begins where the part does, or nil.
func (f *fetcher) part(ctx context.Context, dl *download, n int, body io.ReadCloser, progress func(int)) error {
	off, length := dl.span(n)
	sum := crc32.New(castagnoli)
	w := io.MultiWriter(io.NewOffsetWriter(dl.data, off), sum)
	var got int64
	for try := 1; ; try++ {
		k, err := f.piece(ctx, dl, off+got, length-got, body, w, progress)
		body = nil
		if got += k; got == length && err == nil {
			return dl.finished(n, sum.Sum32())
		}
		if got == length { // all there, and wrong
			return err
		}
		if k > 0 {
			try = 1 // it goes on
		}
		if errors.Is(err, errChanged) || try == partTries || ctx.Err() != nil {
			return err
		}
		if !fault.Transient(err) {
			return err
		}
		f.opts.Logf("bytes %d to %d: %v; going on", off+got, off+length, err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(try) * retryPause):
		}
	}
}

// piece copies length bytes from off on into w, from body or from a request of its own, and returns how many it got.
func (f *fetcher) piece(ctx context.Context, dl *download, off, length int64, body io.ReadCloser, w io.Writer, progress func(int)) (int64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stall := time.AfterFunc(stallTimeout, func() { cancel(errStalled) })
	defer stall.Stop()
	if body == nil {
		var err error
		if body, err = f.open(ctx, dl.id, off, length); err != nil {
			return 0, err
		}
	}
	closing := context.AfterFunc(ctx, func() { _ = body.Close() }) // the first body's request has another context
	defer closing()
	defer func() { _ = body.Close() }()
	from := readerFunc(func(p []byte) (int, error) {
		n, err := body.Read(p)
		stall.Reset(stallTimeout)
		progress(n)
		return n, err
	})
	got, err := io.Copy(w, io.LimitReader(from, length))
	if err == nil && got == length {
		err = finish(from, dl.id, off, length)
	} else if err == nil {
		err = io.ErrUnexpectedEOF
	}
	if err != nil && errors.Is(context.Cause(ctx), errStalled) {
		err = errStalled
	}
	if err != nil {
		return got, fmt.Errorf("downloading %s: %w", f.place(), err)
	}
	return got, nil
}

// finish reads the end of a body that holds the whole object, at which the SDK checks its checksum.
func finish(body io.Reader, id identity, off, length int64) error {
	if off != 0 || length != id.Size {
		return nil
	}
	n, err := body.Read(make([]byte, 1))
	if n > 0 {
		return errors.New("the server sends more than it said")
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// open asks for one range of the object that the download began with.
func (f *fetcher) open(ctx context.Context, id identity, off, length int64) (io.ReadCloser, error) {
	in := f.request()
	in.ChecksumMode = ""
	in.IfMatch = aws.String(id.ETag)
	in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", off, off+length-1))
	out, err := f.client.GetObject(ctx, in, func(o *s3.Options) {
		// Stores other than Amazon's send the whole object's checksum with a range; verify compares it with the whole.
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	})
	if err != nil {
		if fault.Status(err) == http.StatusPreconditionFailed {
			return nil, errChanged
		}
		return nil, f.explain(ctx, err)
	}
	want := fmt.Sprintf("bytes %d-%d/%d", off, off+length-1, id.Size)
	switch {
	case aws.ToString(out.ETag) != id.ETag:
		err = errChanged
	case aws.ToString(out.ContentRange) != want:
		err = fmt.Errorf("downloading %s: %s answers with range %q to a request for %q", f.place(), f.client.Endpoint(), aws.ToString(out.ContentRange), want)
	}
	if err != nil {
		_ = out.Body.Close()
		return nil, err
	}
	return out.Body, nil
}

//go:build integration

package stack

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// s3Client speaks to the stack's gateway with the given secret.
func s3Client(at Endpoints, secret string) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(at.S3), Region: Region, UsePathStyle: true, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(at.AccessKey, secret, ""),
	})
}

func putObject(t *testing.T, at Endpoints, key, text string) {
	t.Helper()
	_, err := s3Client(at, at.SecretKey).PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("functions"), Key: &key, Body: strings.NewReader(text),
	})
	if err != nil {
		t.Fatal(err)
	}
}

func getObject(t *testing.T, at Endpoints, key string) string {
	t.Helper()
	out, err := s3Client(at, at.SecretKey).GetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String("functions"), Key: &key,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Body.Close() }()
	text, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func pushImage(t *testing.T, at Endpoints, tag string) v1.Hash {
	t.Helper()
	image, err := random.Image(2048, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(reference(t, at, tag), image, remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// pullImage reads the image with all its layers, and returns its digest.
func pullImage(t *testing.T, at Endpoints, tag string) v1.Hash {
	t.Helper()
	image, err := remote.Image(reference(t, at, tag), remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, layer := range layers {
		content, err := layer.Compressed()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, content); err != nil { // verifies the digest
			t.Fatal(err)
		}
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// reference needs no "insecure": localhost is plain HTTP to every client.
func reference(t *testing.T, at Endpoints, tag string) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(at.Registry + "/" + tag)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func temporalClient(t *testing.T, at Endpoints) client.Client {
	t.Helper()
	c, err := client.DialContext(t.Context(), client.Options{HostPort: at.Temporal, Namespace: at.Namespace})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// greet is the workflow of these tests: a timer, then a greeting.
func greet(ctx workflow.Context, whom string) (string, error) {
	if err := workflow.Sleep(ctx, 10*time.Millisecond); err != nil {
		return "", err
	}
	return fmt.Sprintf("hello, %s", whom), nil
}

// runWorkflow runs greet to its end and returns its run id.
func runWorkflow(t *testing.T, at Endpoints, id string) string {
	t.Helper()
	c := temporalClient(t, at)
	defer c.Close()
	w := worker.New(c, "tests", worker.Options{})
	w.RegisterWorkflow(greet)
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: "tests"}, greet, "stack")
	if err != nil {
		t.Fatal(err)
	}
	var result string
	if err := run.Get(t.Context(), &result); err != nil {
		t.Fatal(err)
	}
	return run.GetRunID()
}

// workflowResult asks the server for the result of a run, without a worker.
func workflowResult(t *testing.T, at Endpoints, id, run string) string {
	t.Helper()
	c := temporalClient(t, at)
	defer c.Close()
	var result string
	if err := c.GetWorkflow(t.Context(), id, run).Get(t.Context(), &result); err != nil {
		t.Fatal(err)
	}
	return result
}

// children lists the processes whose parent is this one.
func children(t *testing.T) []int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		_, rest, _ := strings.Cut(string(text), ") ") // the name may hold anything
		fields := strings.Fields(rest)
		if len(fields) < 2 || fields[0] == "Z" || fields[1] != strconv.Itoa(os.Getpid()) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

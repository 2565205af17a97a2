//go:build integration

package stack

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

func TestSignaturesAreChecked(t *testing.T) {
	at := running(t, options(t, t.TempDir(), S3)).Endpoints()
	putObject(t, at, "key", "text")

	_, err := s3Client(at, "not the secret").GetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String("functions"), Key: aws.String("key"),
	})
	var refused smithy.APIError
	if !errors.As(err, &refused) || refused.ErrorCode() != "SignatureDoesNotMatch" {
		t.Errorf("with a wrong secret: %v", err)
	}
	stranger := at
	stranger.AccessKey = "AKIASTRANGER"
	_, err = s3Client(stranger, at.SecretKey).GetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String("functions"), Key: aws.String("key"),
	})
	if !errors.As(err, &refused) || refused.ErrorCode() != "InvalidAccessKeyId" {
		t.Errorf("with a wrong access key: %v", err)
	}
	if status, _ := get(t, at.S3+"/functions/key"); status != http.StatusForbidden {
		t.Errorf("without a signature: status %d, want 403", status)
	}
}

func TestObjectsHaveVersions(t *testing.T) {
	at := running(t, options(t, t.TempDir(), S3)).Endpoints()
	c := s3Client(at, at.SecretKey)
	_, err := c.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket:                  aws.String("functions"),
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	if err != nil {
		t.Fatal(err)
	}
	old, err := c.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("functions"), Key: aws.String("key"), Body: strings.NewReader("old"),
	})
	if err != nil {
		t.Fatal(err)
	}
	putObject(t, at, "key", "new")
	out, err := c.GetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String("functions"), Key: aws.String("key"), VersionId: old.VersionId,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Body.Close() }()
	if text, err := io.ReadAll(out.Body); err != nil || string(text) != "old" {
		t.Errorf("the old version = %q, %v", text, err)
	}
	if got := getObject(t, at, "key"); got != "new" {
		t.Errorf("the object = %q, want %q", got, "new")
	}
}

func TestImagesCanBeDeleted(t *testing.T) {
	at := running(t, options(t, t.TempDir(), Registry)).Endpoints()
	digest := pushImage(t, at, "function:v1")
	if err := remote.Delete(reference(t, at, "function@"+digest.String()), remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
	if _, err := remote.Head(reference(t, at, "function:v1"), remote.WithContext(t.Context())); err == nil {
		t.Error("the image is still there")
	}
}

func TestRunsAreFoundBySearchAttributes(t *testing.T) {
	at := running(t, options(t, t.TempDir(), Temporal)).Endpoints()
	c := temporalClient(t, at)
	defer c.Close()
	_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: "found", TaskQueue: "nobody",
		TypedSearchAttributes: temporal.NewSearchAttributes(
			temporal.NewSearchAttributeKeyKeyword("CpubPipeline").ValueSet("deploy_function"),
			temporal.NewSearchAttributeKeyKeyword("CpubStatus").ValueSet("running"),
		),
	}, "deploy_function")
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		list, err := c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
			Query: `CpubPipeline = "deploy_function" AND CpubStatus = "running"`,
		})
		if err == nil && len(list.GetExecutions()) == 1 && list.GetExecutions()[0].GetExecution().GetWorkflowId() == "found" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the run was not found: %v, %v", list.GetExecutions(), err)
		}
	}
}

func TestUIServesItsPagesAndTheServersData(t *testing.T) {
	at := running(t, options(t, t.TempDir(), Temporal)).Endpoints()
	if status, page := get(t, at.UI+"/"); status != http.StatusOK || !strings.Contains(page, "<html") {
		t.Errorf("the page: status %d, %.200s", status, page)
	}
	if status, data := get(t, at.UI+"/api/v1/namespaces/"+at.Namespace); status != http.StatusOK || !strings.Contains(data, at.Namespace) {
		t.Errorf("the namespace: status %d, %.200s", status, data)
	}
}

func TestDatabaseIsTunedForOneMachine(t *testing.T) {
	dir := t.TempDir()
	running(t, options(t, dir, Temporal))
	if _, err := os.Stat(dir + "/temporal.db-wal"); err != nil {
		t.Errorf("the database is not in WAL mode: %v", err)
	}
}

// get fetches a URL without credentials.
func get(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

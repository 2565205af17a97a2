//go:build integration

package provider_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/containerpub/cpub/internal/testenv"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/sdktest"
)

// front is an address of its own for the tests' registry, behind what wrap makes of it.
func front(t *testing.T, wrap func(http.Handler) http.Handler) string {
	t.Helper()
	target, err := url.Parse("http://" + testenv.Services(t).Registry)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // which the registry writes into its answers
	}}
	s := httptest.NewServer(wrap(proxy))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// tokens is a registry that wants tokens, and the server that gives them to those who know the password.
func tokens(h http.Handler) http.Handler {
	const token = "a-token-of-the-test"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch user, pass, _ := r.BasicAuth(); {
		case r.URL.Path == "/token" && user == "me" && pass == password:
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(map[string]any{"token": token, "expires_in": 300})
		case r.URL.Path == "/token":
			w.WriteHeader(http.StatusUnauthorized)
		case r.Header.Get("Authorization") != "Bearer "+token:
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+r.Host+`/token",service="test"`)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`))
		default:
			h.ServeHTTP(w, r)
		}
	})
}

// once does something else with the first of each request that it is about.
func once(about func(*http.Request) bool, instead func(http.ResponseWriter)) func(http.Handler) http.Handler {
	var asked sync.Map
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, again := asked.LoadOrStore(r.Method+r.URL.Path, true); !again && about(r) {
				instead(w)
				return
			}
			h.ServeHTTP(w, r)
		})
	}
}

func unavailable(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) }

// reset breaks the connection off.
func reset(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
}

// TestRegistries: what stands between Podman and a registry, besides TLS.
func TestRegistries(t *testing.T) {
	eachVersion(t, func(t *testing.T, e *env) {
		t.Run("tokens", func(t *testing.T) { tokenAuth(t, e) })
		t.Run("failures that pass", func(t *testing.T) { passingFailures(t, e) })
		t.Run("lies", func(t *testing.T) { lyingRegistry(t, e) })
	})
}

func tokenAuth(t *testing.T, e *env) {
	registry := sdk.Registry{Host: front(t, tokens), Insecure: true, Username: "me", Password: password}
	h := e.connect(t, registry)
	images := sdktest.Images{Registry: registry}
	t.Run("image_pull", func(t *testing.T) { sdktest.ImagePull(t, h, images) })
	t.Run("image_push", func(t *testing.T) { sdktest.ImagePush(t, h, images) })
	t.Run("image_copy", func(t *testing.T) { sdktest.ImageCopy(t, h, images) })
	registry.Password = "another one"
	h = e.connect(t, registry)
	rules := sdk.Rules{PullFrom: []string{registry.Host + "/*"}}
	for _, call := range []sdktest.Call{
		{Type: "image_push", Input: map[string]any{"image": e.image(), "destination": registry.Host + "/x:1"}},
		{Type: "image_pull", Input: map[string]any{"reference": registry.Host + "/x:1", "policy": "always"}, Rules: rules},
		{Type: "image_copy", Input: map[string]any{"source": registry.Host + "/x:1"}, Rules: rules},
	} {
		err := h.Run(call).Err
		var se *sdk.Error
		if !errors.As(err, &se) || se.Kind != sdk.KindPermanent || se.Code != "unauthorized" || strings.Contains(err.Error(), "another one") {
			t.Errorf("%s with a wrong password: %v", call.Type, err)
		}
	}
}

// passingFailures: no more attempts are needed than a step has, whatever fails once.
func passingFailures(t *testing.T, e *env) {
	blobs := func(r *http.Request) bool {
		return strings.Contains(r.URL.Path, "/blobs/") && r.Method != http.MethodHead
	}
	for name, wrap := range map[string]func(http.Handler) http.Handler{
		"503":   once(func(r *http.Request) bool { return !strings.Contains(r.URL.Path, "/uploads/") }, unavailable),
		"reset": once(func(r *http.Request) bool { return blobs(r) && r.Method == http.MethodGet }, reset),
		"push":  once(func(r *http.Request) bool { return blobs(r) && r.Method == http.MethodPost }, unavailable),
	} {
		t.Run(name, func(t *testing.T) {
			host := front(t, wrap)
			h := e.connect(t, sdk.Registry{Host: host, Insecure: true})
			rules := sdk.Rules{PullFrom: []string{host + "/*"}}
			repo := host + "/passing-" + sdktest.NewKey()[:12]
			for _, call := range []sdktest.Call{
				{Type: "image_push", Input: map[string]any{"image": e.image(), "destination": repo + ":1"}},
				{Type: "image_pull", Input: map[string]any{"reference": repo + ":1", "policy": "always"}, Rules: rules},
				{Type: "image_copy", Input: map[string]any{"source": repo + ":1", "destination": repo + "-copy:1"}, Rules: rules},
			} {
				call.Key = sdktest.NewKey()
				var err error
				for call.Attempt = 1; call.Attempt <= 5; call.Attempt++ {
					if err = h.Run(call).Err; err == nil {
						break
					}
					var se *sdk.Error
					if errors.As(err, &se) && se.Kind != sdk.KindTransient {
						t.Fatalf("%s, attempt %d: %v, want a failure that is tried again", call.Type, call.Attempt, err)
					}
				}
				if err != nil {
					t.Errorf("%s failed to the end: %v", call.Type, err)
				}
			}
		})
	}
}

// lyingRegistry gives other bytes than those that the digest says.
func lyingRegistry(t *testing.T, e *env) {
	for _, part := range []string{"/manifests/", "/blobs/"} {
		var lie atomic.Bool
		host := front(t, func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !lie.Load() || r.Method != http.MethodGet || !strings.Contains(r.URL.Path, part) {
					h.ServeHTTP(w, r)
					return
				}
				rec := httptest.NewRecorder()
				h.ServeHTTP(rec, r)
				for k, v := range rec.Header() {
					w.Header()[k] = v
				}
				w.Header().Del("Content-Length")
				w.WriteHeader(rec.Code)
				// A manifest that can be read, and a blob of the same length.
				body := strings.Replace(rec.Body.String(), `"schemaVersion":2`, `"schemaVersion": 2`, 1)
				if part == "/blobs/" {
					body = body[:len(body)-1] + "x"
				}
				_, _ = w.Write([]byte(body))
			})
		})
		h := e.connect(t, sdk.Registry{Host: host, Insecure: true})
		rules := sdk.Rules{PullFrom: []string{host + "/*"}}
		var out pushed
		dest := host + "/lies-" + sdktest.NewKey()[:12] + ":1"
		h.Run(sdktest.Call{Type: "image_push", Input: map[string]any{"image": e.image(), "destination": dest}}).Decode(&out)
		lie.Store(true)
		for _, call := range []sdktest.Call{
			{Type: "image_pull", Input: map[string]any{"reference": out.Reference, "policy": "always"}, Rules: rules},
			{Type: "image_copy", Input: map[string]any{"source": out.Reference}, Rules: rules},
		} {
			err := h.Run(call).Err
			var se *sdk.Error
			if !errors.As(err, &se) || se.Kind != sdk.KindPermanent || se.Code != "digest" {
				t.Errorf("%s from a registry whose %s lie: %v", call.Type, part, err)
			}
		}
		lie.Store(false)
	}
}

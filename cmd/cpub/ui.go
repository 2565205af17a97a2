package main

import (
	"net/url"
	"strings"
)

// uiAddress is the page of a run in Temporal's UI.
func uiAddress(ui, namespace, id, runID string) string {
	return strings.TrimSuffix(ui, "/") + "/namespaces/" + url.PathEscape(namespace) + "/workflows/" + url.PathEscape(id) + "/" +
		url.PathEscape(runID) + "/history"
}

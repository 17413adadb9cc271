// Command kstatus reads Kubernetes objects as JSON, one per line, and answers each with a line of what kstatus, the
// library behind Flux, kpt and `kubectl`'s own waiters, makes of it: {"status": "Current", "message": "..."}.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

const (
	library      = "sigs.k8s.io/cli-utils"
	longestBytes = 4 << 20 // more than etcd stores of one object
)

type answer struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "--version" {
		fmt.Println(libraryVersion())
		return
	}
	if err := answerEachLine(); err != nil {
		fmt.Fprintln(os.Stderr, "kstatus:", err)
		os.Exit(1)
	}
}

func answerEachLine() error {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, longestBytes)
	answers := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(lines.Bytes()); err != nil {
			return fmt.Errorf("expected one Kubernetes object as JSON on each line: %w", err)
		}
		result, err := status.Compute(object)
		if err != nil {
			return fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
		}
		if err := answers.Encode(answer{Status: result.Status.String(), Message: result.Message}); err != nil {
			return err
		}
	}
	return lines.Err()
}

// libraryVersion is the version of the library that was linked in, as its own module records it.
func libraryVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, module := range info.Deps {
		if module.Path == library {
			return module.Version
		}
	}
	return "unknown"
}

// Reads values as Helm does, many texts in one run: a JSON list of texts on standard input, a list of results on standard
// output, each with its value or with the error.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"sigs.k8s.io/yaml"
)

type result struct {
	Value map[string]any `json:"value"`
	Error string         `json:"error,omitempty"`
}

func main() {
	var texts []string
	if err := json.NewDecoder(os.Stdin).Decode(&texts); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	results := make([]result, 0, len(texts))
	for _, text := range texts {
		values := map[string]any{}
		if err := yaml.Unmarshal([]byte(text), &values); err != nil {
			results = append(results, result{Error: err.Error()})
			continue
		}
		results = append(results, result{Value: values})
	}
	if err := json.NewEncoder(os.Stdout).Encode(results); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

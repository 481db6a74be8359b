package main

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
)

func (p *program) checkConfig() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check-config",
		Short: "Check the configuration and show what is in effect",
		Long: `Check-config reads the same flags, environment and file as serve. It prints every
mistake and exits with 2, or prints the configuration in effect as YAML, access
keys left out. It opens no port.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := load(cmd.Flags(), p.environ)
			if err != nil {
				return err
			}
			text, err := yaml.MarshalWithOptions(effective(c), yaml.IndentSequence(true))
			if err != nil {
				return fmt.Errorf("write the configuration: %w", err)
			}
			_, err = fmt.Fprintf(p.stdout, "configuration is valid\n\n%s", text)
			return err
		},
	}
	addConfigFlags(cmd.Flags())
	return cmd
}

// effective returns c as sections and keys in the order of the struct. Access
// keys are replaced by a word.
func effective(c config) yaml.MapSlice {
	var tree yaml.MapSlice
	for _, s := range settings() {
		value := s.format(s.field(&c).Interface())
		if s.kind == kindList {
			value = redacted(s.field(&c).Len())
		}
		section, name, nested := strings.Cut(s.key, ".")
		if !nested {
			tree = append(tree, yaml.MapItem{Key: s.key, Value: value})
			continue
		}
		if last := len(tree) - 1; last < 0 || tree[last].Key != section {
			tree = append(tree, yaml.MapItem{Key: section, Value: yaml.MapSlice{}})
		}
		last := &tree[len(tree)-1]
		last.Value = append(last.Value.(yaml.MapSlice), yaml.MapItem{Key: name, Value: value})
	}
	return tree
}

func redacted(n int) []string {
	words := make([]string, n)
	for i := range words {
		words[i] = "(not shown)"
	}
	return words
}

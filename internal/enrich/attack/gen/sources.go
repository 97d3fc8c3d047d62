package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
)

// sources is the gathered facts, as far as the generator needs them.
type sources struct {
	current currentSource
	next    nextSource
	tags    tagSource
}

// currentSource is the facts of the ATT&CK version that reports use.
type currentSource struct {
	Version    string         `json:"attack_version"`
	Released   string         `json:"released"`
	Source     string         `json:"source"`
	Notice     string         `json:"licence_notice"`
	Counts     map[string]int `json:"counts"`
	Tactics    []tactic       `json:"tactics"`
	Techniques []technique    `json:"techniques"`
	Mitigation []entry        `json:"mitigations"`
}

// nextSource is the facts of the version after it.
type nextSource struct {
	Version    string            `json:"attack_version"`
	Source     string            `json:"source"`
	Tactics    []tactic          `json:"tactics"`
	Techniques []technique       `json:"techniques"`
	Revoked    map[string]string `json:"revoked_since_18_1"`

	RevokedSource string `json:"revoked_source"`
}

// tagSource is the facts of the tags in rules for Falco.
type tagSource struct {
	Sources struct {
		Rules   string `json:"falcosecurity/rules"`
		Plugins string `json:"falcosecurity/plugins"`
	} `json:"sources"`
	Tags []tag `json:"tags"`
}

type tactic struct {
	ID        string `json:"id"`
	Shortname string `json:"shortname"`
	Name      string `json:"name"`
	Order     int    `json:"order"`
	URL       string `json:"url"`
}

type technique struct {
	ID               string   `json:"id"`
	Name             string   `json:"name"`
	Parent           string   `json:"parent"`
	Tactics          []string `json:"tactics"`
	Platforms        []string `json:"platforms"`
	URL              string   `json:"url"`
	Deprecated       bool     `json:"deprecated"`
	Revoked          bool     `json:"revoked"`
	RevokedBy        string   `json:"revoked_by"`
	FinalReplacement string   `json:"final_replacement"`
	Mitigations      []entry  `json:"mitigations"`
	Detection        []entry  `json:"detection_strategies"`
	New              bool     `json:"new_since_18_1"`
}

// entry is a mitigation or detection strategy.
type entry struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	URL  string `json:"url"`
}

// tag is a tag and what it was found to mean.
type tag struct {
	Tag       string `json:"tag"`
	Kind      string `json:"kind"`
	TacticID  string `json:"tactic_id"`
	Technique string `json:"technique"`
}

// readSources reads the three files.
func readSources(fsys fs.FS) (*sources, error) {
	s := new(sources)
	for name, v := range map[string]any{
		"attack-enterprise-18.1.json":            &s.current,
		"attack-enterprise-19.1-techniques.json": &s.next,
		"falco-tags.json":                        &s.tags,
	} {
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("read facts: %w", err)
		}
		if err := json.Unmarshal(data, v); err != nil {
			return nil, fmt.Errorf("read facts %s: %w", name, err)
		}
	}
	return s, nil
}

package falcoconf

import "strings"

// reportFlags are what the unit has besides its input.
const reportFlags = " --listen unix:///run/falco-reporter/reports.sock -o none"

// run says how falco-reporter takes the input: by hand, and as a service.
func (p *planner) run(flag, value string) {
	p.Run = "falco-reporter run " + flag + " " + shellQuote(value) + reportFlags
	if p.Input == InputFile && value == DefaultAlertsFile {
		p.Service = &Step{
			Title:    "Or as a service",
			Text:     "The unit falco-reporter.service follows this file as it comes.",
			Commands: []string{"systemctl enable --now " + User},
		}
		return
	}
	p.Service = &Step{
		Title: "Or as a service",
		Text:  "The unit falco-reporter.service follows the file " + DefaultAlertsFile + ". To have it follow this input instead, run systemctl edit falco-reporter and give it:",
		Files: []Document{{
			Path:    "/etc/systemd/system/falco-reporter.service.d/override.conf",
			Content: "[Service]\nExecStart=\nExecStart=/usr/bin/falco-reporter run " + flag + " " + unitQuote(value) + reportFlags + "\n",
		}},
		Commands: []string{"systemctl enable " + User, "systemctl restart " + User},
	}
}

// unitQuote is a word for ExecStart=, safe to show: % and $ stand for others there, and quotes
// are not a shell's.
func unitQuote(s string) string {
	s = Show(s)
	quoted := strings.NewReplacer("%", "%%", "$", "$$", `\`, `\\`, `"`, `\"`).Replace(s)
	if strings.ContainsAny(s, " \t;'\"\\") {
		return `"` + quoted + `"`
	}
	return quoted
}

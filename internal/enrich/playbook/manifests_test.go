package playbook_test

import (
	"encoding/json"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// authenticationConfiguration is apiserver.config.k8s.io/v1beta1, as far as it is used here.
type authenticationConfiguration struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Anonymous  struct {
		Enabled    bool `json:"enabled"`
		Conditions []struct {
			Path string `json:"path"`
		} `json:"conditions"`
	} `json:"anonymous"`
}

// auditPolicy is audit.k8s.io/v1, as far as it is used here.
type auditPolicy struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Rules      []struct {
		Level     string   `json:"level"`
		Verbs     []string `json:"verbs"`
		Resources []struct {
			Group     string   `json:"group"`
			Resources []string `json:"resources"`
		} `json:"resources"`
	} `json:"rules"`
}

// kinds are the kinds of manifests by API version.
func kinds() map[string]any {
	return map[string]any{
		"v1/LimitRange":                            &corev1.LimitRange{},
		"v1/Pod":                                   &corev1.Pod{},
		"v1/ResourceQuota":                         &corev1.ResourceQuota{},
		"v1/ServiceAccount":                        &corev1.ServiceAccount{},
		"networking.k8s.io/v1/NetworkPolicy":       &networkingv1.NetworkPolicy{},
		"rbac.authorization.k8s.io/v1/Role":        &rbacv1.Role{},
		"rbac.authorization.k8s.io/v1/ClusterRole": &rbacv1.ClusterRole{},
		"admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy":        &admissionregistrationv1.ValidatingAdmissionPolicy{},
		"admissionregistration.k8s.io/v1/ValidatingAdmissionPolicyBinding": &admissionregistrationv1.ValidatingAdmissionPolicyBinding{},
		"apiserver.config.k8s.io/v1beta1/AuthenticationConfiguration":      &authenticationConfiguration{},
		"audit.k8s.io/v1/Policy": &auditPolicy{},
	}
}

// checkManifest reads a manifest into the type of its kind, strictly.
func checkManifest(t *testing.T, name, text string) {
	t.Helper()
	var head struct {
		APIVersion string                `json:"apiVersion"`
		Kind       string                `json:"kind"`
		Metadata   struct{ Name string } `json:"metadata"`
		Items      []json.RawMessage     `json:"items"`
	}
	if err := yaml.Unmarshal([]byte(text), &head); err != nil {
		t.Errorf("%s: %v\n%s", name, err, text)
		return
	}
	kind := head.APIVersion + "/" + head.Kind
	if kind == "v1/List" {
		for _, item := range head.Items {
			checkManifest(t, name, string(item))
		}
		return
	}
	to, ok := kinds()[kind]
	if !ok {
		t.Errorf("%s: the kind %s is not known here", name, kind)
		return
	}
	strict(t, name, text, to)
	if _, configuration := to.(interface{ GetName() string }); configuration && head.Metadata.Name == "" {
		t.Errorf("%s: the manifest has no name", name)
	}
}

// strict reads YAML into a type; members that the type lacks are errors.
func strict(t *testing.T, name, text string, to any) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(text), to); err != nil {
		t.Errorf("%s: %v\n%s", name, err, text)
	}
}

// orgPolicy is what gcloud org-policies set-policy takes, as far as it is used here.
type orgPolicy struct {
	Name string `json:"name"`
	Spec struct {
		Rules []struct {
			Enforce bool `json:"enforce"`
		} `json:"rules"`
	} `json:"spec"`
}

// TestYAML holds every YAML snippet against what its tool reads.
func TestYAML(t *testing.T) {
	dispatch(t, "yaml", []check{
		{`^Falco .* in a rules file`, checkFalco},
		{`^Falco .* in /etc/falco/`, checkFalcoConfig},
		{`in a pod's spec$`, func(t *testing.T, f form) { strict(t, f.name, f.text, &corev1.PodSpec{}) }},
		{`in an ingress's spec$`, func(t *testing.T, f form) { strict(t, f.name, f.text, &networkingv1.IngressSpec{}) }},
		{`^Kubernetes `, func(t *testing.T, f form) { checkManifest(t, f.name, f.text) }},
		{`^gcloud .*org-policies`, func(t *testing.T, f form) { strict(t, f.name, f.text, &orgPolicy{}) }},
	})
}

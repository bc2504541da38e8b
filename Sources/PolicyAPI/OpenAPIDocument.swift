import HTTPWire

/// The control API as OpenAPI 3.1: the source of truth for its routes and shapes, checked against a running daemon. The schemas `policy`, `action`, `rule`, `name`,
/// `ipv4` and `ipv6` are those of policies/policy.schema.json.
let openAPIDocument = #"""
  {
    "openapi": "3.1.0",
    "info": {
      "title": "Sallyport control API",
      "version": "0.1.0",
      "description": "Egress policy of one sandbox. A superset of OpenSandbox's egress API. Without a configured token reads need no credential and every change is 403. Errors are one line of text, or RFC 9457 problem details where Accept names application/problem+json.",
      "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}
    },
    "servers": [{"url": "/"}],
    "security": [{"egressAuth": []}, {"bearer": []}],
    "paths": {
      "/policy": {
        "get": {
          "operationId": "readPolicy",
          "summary": "The policy in force",
          "parameters": [
            {
              "name": "stats",
              "in": "query",
              "description": "Adds how often each rule decided, and where the policy came from.",
              "schema": {"type": "boolean"}
            }
          ],
          "responses": {
            "200": {
              "description": "The policy.",
              "headers": {"ETag": {"description": "The revision of the policy.", "schema": {"type": "string"}}},
              "content": {"application/json": {"schema": {"$ref": "#/components/schemas/policyState"}}}
            },
            "400": {"$ref": "#/components/responses/Invalid"},
            "401": {"$ref": "#/components/responses/Unauthorized"}
          }
        },
        "post": {
          "operationId": "replacePolicy",
          "summary": "Replace the policy; {}, null and an empty body deny everything",
          "parameters": [{"$ref": "#/components/parameters/dryRun"}, {"$ref": "#/components/parameters/ifMatch"}],
          "requestBody": {
            "required": false,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/policy"}}}
          },
          "responses": {
            "200": {
              "description": "In force; or, with dryRun, what would change.",
              "headers": {"ETag": {"description": "The revision of the policy.", "schema": {"type": "string"}}},
              "content": {
                "application/json": {
                  "schema": {
                    "anyOf": [{"$ref": "#/components/schemas/rehearsal"}, {"$ref": "#/components/schemas/changeAccepted"}]
                  }
                }
              }
            },
            "400": {"$ref": "#/components/responses/Invalid"},
            "401": {"$ref": "#/components/responses/Unauthorized"},
            "403": {"$ref": "#/components/responses/Forbidden"},
            "412": {"$ref": "#/components/responses/Moved"},
            "413": {"$ref": "#/components/responses/TooLarge"},
            "500": {"$ref": "#/components/responses/Refused"},
            "503": {"$ref": "#/components/responses/Busy"}
          }
        },
        "put": {
          "operationId": "putPolicy",
          "summary": "The same as POST",
          "parameters": [{"$ref": "#/components/parameters/dryRun"}, {"$ref": "#/components/parameters/ifMatch"}],
          "requestBody": {
            "required": false,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/policy"}}}
          },
          "responses": {
            "200": {
              "description": "In force; or, with dryRun, what would change.",
              "headers": {"ETag": {"description": "The revision of the policy.", "schema": {"type": "string"}}},
              "content": {
                "application/json": {
                  "schema": {
                    "anyOf": [{"$ref": "#/components/schemas/rehearsal"}, {"$ref": "#/components/schemas/changeAccepted"}]
                  }
                }
              }
            },
            "400": {"$ref": "#/components/responses/Invalid"},
            "401": {"$ref": "#/components/responses/Unauthorized"},
            "403": {"$ref": "#/components/responses/Forbidden"},
            "412": {"$ref": "#/components/responses/Moved"},
            "413": {"$ref": "#/components/responses/TooLarge"},
            "500": {"$ref": "#/components/responses/Refused"},
            "503": {"$ref": "#/components/responses/Busy"}
          }
        },
        "patch": {
          "operationId": "mergeRules",
          "summary": "Merge rules in front; the first of a repeated target wins",
          "parameters": [{"$ref": "#/components/parameters/dryRun"}, {"$ref": "#/components/parameters/ifMatch"}],
          "requestBody": {
            "required": true,
            "content": {
              "application/json": {"schema": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/rule"}}}
            }
          },
          "responses": {
            "200": {
              "description": "In force; or, with dryRun, what would change.",
              "headers": {"ETag": {"description": "The revision of the policy.", "schema": {"type": "string"}}},
              "content": {
                "application/json": {
                  "schema": {
                    "anyOf": [{"$ref": "#/components/schemas/rehearsal"}, {"$ref": "#/components/schemas/changeAccepted"}]
                  }
                }
              }
            },
            "400": {"$ref": "#/components/responses/Invalid"},
            "401": {"$ref": "#/components/responses/Unauthorized"},
            "403": {"$ref": "#/components/responses/Forbidden"},
            "412": {"$ref": "#/components/responses/Moved"},
            "413": {"$ref": "#/components/responses/TooLarge"},
            "500": {"$ref": "#/components/responses/Refused"},
            "503": {"$ref": "#/components/responses/Busy"}
          }
        },
        "delete": {
          "operationId": "removeRules",
          "summary": "Remove the rules about these targets; unknown ones are ignored",
          "parameters": [{"$ref": "#/components/parameters/dryRun"}, {"$ref": "#/components/parameters/ifMatch"}],
          "requestBody": {
            "required": true,
            "content": {"application/json": {"schema": {"type": "array", "minItems": 1, "items": {"type": "string"}}}}
          },
          "responses": {
            "200": {
              "description": "In force; or, with dryRun, what would change.",
              "headers": {"ETag": {"description": "The revision of the policy.", "schema": {"type": "string"}}},
              "content": {
                "application/json": {
                  "schema": {
                    "anyOf": [{"$ref": "#/components/schemas/rehearsal"}, {"$ref": "#/components/schemas/changeAccepted"}]
                  }
                }
              }
            },
            "400": {"$ref": "#/components/responses/Invalid"},
            "401": {"$ref": "#/components/responses/Unauthorized"},
            "403": {"$ref": "#/components/responses/Forbidden"},
            "412": {"$ref": "#/components/responses/Moved"},
            "413": {"$ref": "#/components/responses/TooLarge"},
            "500": {"$ref": "#/components/responses/Refused"},
            "503": {"$ref": "#/components/responses/Busy"}
          }
        }
      },
      "/policy/explain": {
        "get": {
          "operationId": "explain",
          "summary": "What the policy decides about a target, and why",
          "parameters": [
            {
              "name": "target",
              "in": "query",
              "required": true,
              "description": "A name or an address.",
              "schema": {"type": "string"}
            },
            {"name": "port", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 65535}},
            {"name": "protocol", "in": "query", "schema": {"type": "string", "enum": ["tcp", "udp"]}}
          ],
          "responses": {
            "200": {
              "description": "The decision.",
              "content": {"application/json": {"schema": {"$ref": "#/components/schemas/explanation"}}}
            },
            "400": {"$ref": "#/components/responses/Invalid"},
            "401": {"$ref": "#/components/responses/Unauthorized"}
          }
        }
      },
      "/policy/suggested": {
        "get": {
          "operationId": "suggestPolicy",
          "summary": "The smallest policy that would allow what was seen",
          "responses": {
            "200": {
              "description": "A document ready for PUT; its egress is ready for PATCH.",
              "content": {"application/json": {"schema": {"$ref": "#/components/schemas/storedPolicy"}}}
            },
            "401": {"$ref": "#/components/responses/Unauthorized"}
          }
        }
      },
      "/owner": {
        "get": {
          "operationId": "readOwner",
          "summary": "Whose sandbox this is",
          "responses": {
            "200": {
              "description": "The binding.",
              "content": {"application/json": {"schema": {"$ref": "#/components/schemas/owner"}}}
            },
            "401": {"$ref": "#/components/responses/Unauthorized"}
          }
        },
        "put": {
          "operationId": "bindOwner",
          "summary": "Bind the owner, once",
          "requestBody": {
            "required": true,
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "properties": {"token": {"type": "string", "description": "A JWS in compact form.", "minLength": 1}},
                  "required": ["token"],
                  "additionalProperties": false
                }
              }
            }
          },
          "responses": {
            "200": {
              "description": "Bound, or the same owner again.",
              "content": {"application/json": {"schema": {"$ref": "#/components/schemas/owner"}}}
            },
            "400": {"$ref": "#/components/responses/Invalid"},
            "401": {
              "description": "No credential, or the token proves no owner.",
              "content": {
                "text/plain": {"schema": {"type": "string"}},
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/problem"}}
              }
            },
            "403": {"$ref": "#/components/responses/Forbidden"},
            "409": {
              "description": "Another owner is bound.",
              "content": {
                "text/plain": {"schema": {"type": "string"}},
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/problem"}}
              }
            },
            "413": {"$ref": "#/components/responses/TooLarge"},
            "500": {"$ref": "#/components/responses/Refused"},
            "501": {
              "description": "This sidecar takes no signed owner.",
              "content": {
                "text/plain": {"schema": {"type": "string"}},
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/problem"}}
              }
            },
            "503": {"$ref": "#/components/responses/Busy"}
          }
        }
      },
      "/flows": {
        "get": {
          "operationId": "readFlows",
          "summary": "Live flows, oldest first",
          "responses": {
            "200": {
              "description": "The flows.",
              "content": {
                "application/json": {
                  "schema": {
                    "type": "object",
                    "properties": {"flows": {"type": "array", "items": {"$ref": "#/components/schemas/flow"}}},
                    "required": ["flows"]
                  }
                }
              }
            },
            "401": {"$ref": "#/components/responses/Unauthorized"}
          }
        }
      },
      "/audit": {
        "get": {
          "operationId": "readAudit",
          "summary": "Where the records are",
          "responses": {
            "200": {
              "description": "Spool, sequence and delivery.",
              "content": {"application/json": {"schema": {"$ref": "#/components/schemas/audit"}}}
            },
            "401": {"$ref": "#/components/responses/Unauthorized"}
          }
        }
      },
      "/audit/override": {
        "put": {
          "operationId": "overrideGate",
          "summary": "Set the gate's conditions about evidence aside for a time, on the record",
          "requestBody": {
            "required": true,
            "content": {
              "application/json": {
                "schema": {
                  "type": "object",
                  "properties": {
                    "seconds": {"type": "integer", "minimum": 1, "maximum": 86400},
                    "reason": {"type": "string", "minLength": 1, "maxLength": 64, "description": "For the record."}
                  },
                  "required": ["seconds", "reason"],
                  "additionalProperties": false
                }
              }
            }
          },
          "responses": {
            "200": {
              "description": "In force and on the record.",
              "content": {"application/json": {"schema": {"$ref": "#/components/schemas/override"}}}
            },
            "400": {"$ref": "#/components/responses/Invalid"},
            "401": {"$ref": "#/components/responses/Unauthorized"},
            "403": {"$ref": "#/components/responses/Forbidden"},
            "413": {"$ref": "#/components/responses/TooLarge"},
            "500": {"$ref": "#/components/responses/Refused"},
            "503": {"$ref": "#/components/responses/Busy"}
          }
        },
        "delete": {
          "operationId": "endOverride",
          "summary": "Take the override back",
          "responses": {
            "200": {
              "description": "None is in force.",
              "content": {"application/json": {"schema": {"$ref": "#/components/schemas/override"}}}
            },
            "400": {"$ref": "#/components/responses/Invalid"},
            "401": {"$ref": "#/components/responses/Unauthorized"},
            "403": {"$ref": "#/components/responses/Forbidden"},
            "500": {"$ref": "#/components/responses/Refused"},
            "503": {"$ref": "#/components/responses/Busy"}
          }
        }
      },
      "/healthz": {
        "get": {
          "operationId": "health",
          "summary": "ok once the kernel enforces",
          "security": [],
          "responses": {
            "200": {
              "description": "Enforcing.",
              "content": {"text/plain": {"schema": {"type": "string", "const": "ok"}}}
            },
            "503": {"description": "Why not.", "content": {"text/plain": {"schema": {"type": "string"}}}}
          }
        }
      },
      "/readyz": {
        "get": {
          "operationId": "readiness",
          "summary": "Whether the workload can go where its policy lets it",
          "security": [],
          "responses": {
            "200": {
              "description": "It can.",
              "content": {"application/json": {"schema": {"$ref": "#/components/schemas/readiness"}}}
            },
            "503": {
              "description": "Everything that is missing.",
              "content": {"application/json": {"schema": {"$ref": "#/components/schemas/readiness"}}}
            }
          }
        }
      },
      "/metrics": {
        "get": {
          "operationId": "metrics",
          "summary": "Prometheus text format",
          "security": [],
          "responses": {"200": {"description": "The metrics.", "content": {"text/plain": {"schema": {"type": "string"}}}}}
        }
      },
      "/openapi.json": {
        "get": {
          "operationId": "description",
          "summary": "This document",
          "security": [],
          "responses": {
            "200": {"description": "OpenAPI 3.1.", "content": {"application/json": {"schema": {"type": "object"}}}}
          }
        }
      }
    },
    "components": {
      "securitySchemes": {
        "egressAuth": {"type": "apiKey", "in": "header", "name": "OPENSANDBOX-EGRESS-AUTH"},
        "bearer": {"type": "http", "scheme": "bearer"}
      },
      "parameters": {
        "dryRun": {
          "name": "dryRun",
          "in": "query",
          "description": "Only tell what would change.",
          "schema": {"type": "boolean"}
        },
        "ifMatch": {
          "name": "If-Match",
          "in": "header",
          "description": "The ETag of the policy that the change is meant for.",
          "schema": {"type": "string"}
        }
      },
      "responses": {
        "Unauthorized": {
          "description": "No credential, or a wrong one.",
          "content": {
            "text/plain": {"schema": {"type": "string"}},
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/problem"}}
          }
        },
        "Forbidden": {
          "description": "No token is configured: nothing may be changed.",
          "content": {
            "text/plain": {"schema": {"type": "string"}},
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/problem"}}
          }
        },
        "Invalid": {
          "description": "What is wrong, with its JSON path.",
          "content": {
            "text/plain": {"schema": {"type": "string"}},
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/problem"}}
          }
        },
        "TooLarge": {
          "description": "The body, or more rules than SALLYPORT_MAX_RULES.",
          "content": {
            "text/plain": {"schema": {"type": "string"}},
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/problem"}}
          }
        },
        "Moved": {
          "description": "If-Match names another revision.",
          "content": {
            "text/plain": {"schema": {"type": "string"}},
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/problem"}}
          }
        },
        "Refused": {
          "description": "The kernel or the disk refused; nothing has changed.",
          "content": {
            "text/plain": {"schema": {"type": "string"}},
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/problem"}}
          }
        },
        "Busy": {
          "description": "Too many changes wait.",
          "content": {
            "text/plain": {"schema": {"type": "string"}},
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/problem"}}
          }
        }
      },
      "schemas": {
        "policy": {
          "description": "A superset of OpenSandbox's NetworkPolicy. Rules are read in order, the first that matches wins. The daemon also refuses what a schema cannot say: repeated keys, host bits in a block, wildcards directly below a public suffix, reversed port ranges, times that do not exist.",
          "type": ["object", "null"],
          "additionalProperties": false,
          "properties": {
            "defaultAction": {
              "description": "What happens to what no rule matches; deny when missing. Case and white space around it do not matter.",
              "$ref": "#/components/schemas/action"
            },
            "egress": {
              "description": "Rules in order of precedence; at most 4096 unless SALLYPORT_MAX_RULES says otherwise.",
              "type": ["array", "null"],
              "items": {"$ref": "#/components/schemas/rule"}
            }
          }
        },
        "action": {
          "type": ["string", "null"],
          "pattern": "^[ \\t-\\r]*([Aa][Ll][Ll][Oo][Ww]|[Dd][Ee][Nn][Yy])?[ \\t-\\r]*$"
        },
        "rule": {
          "type": "object",
          "additionalProperties": false,
          "required": ["target"],
          "properties": {
            "action": {"description": "deny when missing or empty.", "$ref": "#/components/schemas/action"},
            "target": {
              "description": "A name, every name below one at any depth (*.example.com), an address, a CIDR block, or * to deny everything. Case and one trailing dot do not matter; international names are given as xn--.",
              "type": "string",
              "minLength": 1,
              "maxLength": 254,
              "anyOf": [
                {"const": "*"},
                {"$ref": "#/components/schemas/name"},
                {"$ref": "#/components/schemas/ipv4"},
                {"$ref": "#/components/schemas/ipv6"}
              ]
            },
            "ports": {
              "description": "Only these destination ports; without it every port and protocol. 443 means TCP and UDP.",
              "type": "array",
              "minItems": 1,
              "items": {"type": "string", "pattern": "^[1-9][0-9]{0,4}(-[1-9][0-9]{0,4})?(/(tcp|udp))?$"}
            },
            "expiresAt": {
              "description": "RFC 3339; the rule stops by itself, in the kernel too.",
              "type": "string",
              "format": "date-time"
            },
            "reason": {"description": "For people; at most 256 octets of UTF-8.", "type": "string", "maxLength": 256}
          },
          "if": {"properties": {"target": {"const": "*"}}},
          "then": {"properties": {"action": {"pattern": "^[ \\t-\\r]*([Dd][Ee][Nn][Yy])?[ \\t-\\r]*$"}}}
        },
        "name": {
          "pattern": "^(\\*\\.(?=[^.]+\\.[^.]))?([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\\.)*(?!([0-9]+|0[Xx][0-9A-Fa-f]*)\\.?$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\\.?$"
        },
        "ipv4": {
          "pattern": "^((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(\\.(?!/|$)|(?=/|$))){4}(/(3[0-2]|[12]?[0-9]))?$"
        },
        "ipv6": {"pattern": "^(?=[^/]*:[^/]*:)[0-9A-Fa-f:.]{2,45}(/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))?$"},
        "storedPolicy": {
          "type": "object",
          "description": "A policy as it is kept: egress is always an array, actions are in lower case.",
          "properties": {
            "egress": {"type": "array", "items": {"$ref": "#/components/schemas/storedRule"}},
            "defaultAction": {"type": "string", "enum": ["allow", "deny"]}
          },
          "required": ["egress", "defaultAction"]
        },
        "storedRule": {
          "type": "object",
          "properties": {
            "action": {"type": "string", "enum": ["allow", "deny"]},
            "target": {"type": "string"},
            "ports": {"type": "array", "items": {"type": "string"}},
            "expiresAt": {"type": "string", "format": "date-time"},
            "reason": {"type": "string"}
          },
          "required": ["action", "target"]
        },
        "mode": {
          "type": "string",
          "description": "OpenSandbox's word for the document: deny_all and allow_all have no rules. The platform's lists are not looked at.",
          "enum": ["deny_all", "allow_all", "enforcing"]
        },
        "enforcementMode": {
          "type": "string",
          "description": "What the kernel really holds: dns+nft; none before the rules are installed; observe, which blocks nothing."
        },
        "policyState": {
          "type": "object",
          "properties": {
            "status": {"const": "ok"},
            "mode": {"$ref": "#/components/schemas/mode"},
            "enforcementMode": {"$ref": "#/components/schemas/enforcementMode"},
            "policy": {"$ref": "#/components/schemas/storedPolicy"},
            "stats": {"$ref": "#/components/schemas/statistics"}
          },
          "required": ["status", "mode", "enforcementMode", "policy"]
        },
        "statistics": {
          "type": "object",
          "description": "Since the start of the daemon. Rules of the platform included, in order of precedence, the default last.",
          "properties": {
            "source": {
              "type": "string",
              "description": "api, default, or the variable or file that the document came from."
            },
            "since": {"type": "string", "format": "date-time"},
            "rules": {
              "type": "array",
              "items": {
                "allOf": [{"$ref": "#/components/schemas/ruleReference"}],
                "type": "object",
                "properties": {
                  "hits": {
                    "type": "integer",
                    "description": "Queries and new flows that this rule decided.",
                    "minimum": 0
                  },
                  "lastUsed": {"type": ["string", "null"], "format": "date-time"}
                },
                "required": ["hits", "lastUsed"]
              }
            }
          },
          "required": ["source", "since", "rules"]
        },
        "ruleReference": {
          "type": "object",
          "properties": {
            "action": {"type": "string", "enum": ["allow", "deny"]},
            "text": {"type": "string", "description": "The rule as records name it."},
            "source": {"type": "string", "enum": ["deny.always", "allow.always", "egress", "defaultAction"]},
            "index": {"type": "integer", "description": "Its place in that source, from 0.", "minimum": 0},
            "expiresAt": {"type": "string", "format": "date-time"}
          },
          "required": ["action", "text", "source"]
        },
        "changeAccepted": {
          "type": "object",
          "description": "In force: the kernel holds it, what it revokes is cut, and it is kept.",
          "properties": {
            "status": {"const": "ok"},
            "mode": {"$ref": "#/components/schemas/mode"},
            "enforcementMode": {"$ref": "#/components/schemas/enforcementMode"},
            "reason": {"type": "string"}
          },
          "required": ["status", "mode"]
        },
        "rehearsal": {
          "type": "object",
          "description": "What a change would do. Nothing was changed.",
          "properties": {
            "status": {"const": "ok"},
            "mode": {"$ref": "#/components/schemas/mode"},
            "enforcementMode": {"$ref": "#/components/schemas/enforcementMode"},
            "dryRun": {"const": true},
            "defaultAction": {"type": "string", "enum": ["allow", "deny"]},
            "rulesAdded": {"type": "array", "items": {"$ref": "#/components/schemas/storedRule"}},
            "rulesRemoved": {"type": "array", "items": {"$ref": "#/components/schemas/storedRule"}},
            "reordered": {"type": "boolean"},
            "namesAllowed": {
              "type": "array",
              "items": {"type": "string"},
              "description": "Names that the workload asked for, denied now and allowed then."
            },
            "namesDenied": {
              "type": "array",
              "items": {"type": "string"},
              "description": "Names that the workload asked for, allowed now and denied then."
            },
            "flowsCut": {
              "type": "array",
              "items": {"$ref": "#/components/schemas/flow"},
              "description": "Live flows that would be cut."
            }
          },
          "required": [
            "status",
            "mode",
            "enforcementMode",
            "dryRun",
            "defaultAction",
            "rulesAdded",
            "rulesRemoved",
            "reordered",
            "namesAllowed",
            "namesDenied",
            "flowsCut"
          ]
        },
        "explanation": {
          "type": "object",
          "properties": {
            "target": {"type": "string"},
            "port": {"type": "integer", "minimum": 1, "maximum": 65535},
            "protocol": {"type": "string", "enum": ["tcp", "udp"]},
            "allowed": {"type": "boolean"},
            "reason": {"type": "string", "description": "The decision in one sentence."},
            "rule": {"$ref": "#/components/schemas/ruleReference"},
            "beaten": {
              "type": "array",
              "items": {"$ref": "#/components/schemas/ruleReference"},
              "description": "Rules that match too and came too late, in order."
            },
            "gate": {"type": "string", "description": "Why nothing may leave now, whatever the policy says."}
          },
          "required": ["target", "allowed", "reason", "rule", "beaten"]
        },
        "flow": {
          "type": "object",
          "properties": {
            "name": {"type": "string", "description": "The name by which the workload learned the address."},
            "address": {"type": "string"},
            "port": {"type": "integer", "minimum": 0, "maximum": 65535},
            "protocol": {"type": "string"},
            "bytesSent": {"type": "integer", "minimum": 0},
            "bytesReceived": {"type": "integer", "minimum": 0},
            "rule": {"type": "string"},
            "ageSeconds": {"type": "integer", "minimum": 0}
          },
          "required": ["address", "port", "protocol", "bytesSent", "bytesReceived", "rule", "ageSeconds"]
        },
        "owner": {
          "type": "object",
          "properties": {
            "state": {"type": "string", "enum": ["bound", "unbound"]},
            "required": {"type": "boolean"},
            "tenantId": {"type": "string"},
            "objectId": {"type": "string"},
            "bindingId": {"type": "string"},
            "source": {"type": "string"}
          },
          "required": ["state", "required"]
        },
        "audit": {
          "type": "object",
          "properties": {
            "bootId": {"type": "string"},
            "sequence": {"type": "integer", "description": "SbxSeq of the last record.", "minimum": 0},
            "spoolRecords": {"type": "integer", "description": "Records not acknowledged.", "minimum": 0},
            "spoolBytes": {"type": "integer", "minimum": 0},
            "oldestUnacknowledgedSeconds": {"type": ["integer", "null"], "minimum": 0},
            "droppedRecords": {"type": "integer", "minimum": 0},
            "delivery": {"type": "string", "enum": ["delivering", "waiting", "stopped"]},
            "deliveryReason": {"type": "string"}
          },
          "required": [
            "bootId",
            "sequence",
            "spoolRecords",
            "spoolBytes",
            "oldestUnacknowledgedSeconds",
            "droppedRecords",
            "delivery"
          ]
        },
        "override": {
          "type": "object",
          "properties": {
            "status": {"type": "string", "const": "ok"},
            "overriddenUntil": {"type": ["string", "null"], "format": "date-time"}
          },
          "required": ["status", "overriddenUntil"]
        },
        "readiness": {
          "type": "object",
          "properties": {
            "ready": {"type": "boolean"},
            "reasons": {"type": "array", "items": {"type": "string"}, "description": "Everything that is missing."}
          },
          "required": ["ready", "reasons"]
        },
        "problem": {
          "type": "object",
          "description": "RFC 9457 problem details.",
          "properties": {
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "errors": {
              "type": "array",
              "items": {
                "type": "object",
                "properties": {"path": {"type": "string", "description": "JSON path."}, "reason": {"type": "string"}},
                "required": ["path", "reason"]
              }
            }
          },
          "required": ["title", "status", "detail"]
        }
      }
    }
  }

  """#

extension HTTPResponse {
  /// The answer to `GET /openapi.json`.
  package static var openAPI: HTTPResponse {
    HTTPResponse(
      status: 200, headers: ["Content-Type": "application/json"], body: Array(openAPIDocument.utf8))
  }
}

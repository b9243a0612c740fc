// What is wrong with a YAML text, in our own sentences: those of the parser name its functions and terms.

/** A mistake that the parser found. */
type YamlError = { readonly code: string; readonly message: string }

/** The sentence for a mistake that the `yaml` package found. */
export function yamlFault({ code, message }: YamlError): string {
  if (code === 'UNEXPECTED_TOKEN' && /end of (?:stream|input)/i.test(message)) return SENTENCES.MISSING_CHAR
  return (SENTENCES as Readonly<Record<string, string>>)[code] ?? 'this cannot be read as YAML'
}

const SENTENCES = {
  ALIAS_PROPS: 'an alias (*name) has neither an anchor nor a tag',
  BAD_ALIAS: 'an alias (*name) has no name, or one that no anchor (&name) before it has',
  BAD_COLLECTION_TYPE: 'a tag is not for this kind of value',
  BAD_DIRECTIVE: 'a line that begins with % is not a directive that YAML has',
  BAD_DQ_ESCAPE:
    'a backslash in "double quotes" begins no escape that YAML has; write \\\\, or single quotes',
  BAD_INDENT: 'the indentation does not fit the lines above',
  BAD_PROP_ORDER: 'an anchor or a tag is not before its value',
  BAD_SCALAR_START: 'a value begins with a character that needs quotes',
  BLOCK_AS_IMPLICIT_KEY:
    'a key and its value begin on a line where one was begun before; perhaps a value needs quotes',
  BLOCK_IN_FLOW: 'inside [ ] or { } all is written in brackets, without dashes and indentation',
  DUPLICATE_KEY: 'a key is written twice in one mapping',
  IMPOSSIBLE: 'this cannot be read as YAML',
  KEY_OVER_1024_CHARS: 'a key has more than 1024 characters',
  MISSING_CHAR: 'a bracket, a quote, a colon or a comma is missing here or above',
  MULTILINE_IMPLICIT_KEY: 'a key runs over several lines; perhaps a colon is missing after it',
  MULTIPLE_ANCHORS: 'a value has two anchors',
  MULTIPLE_DOCS: 'a second document begins here (---), and this file takes one document',
  MULTIPLE_TAGS: 'a value has two tags',
  NON_STRING_KEY: 'a key is not a text',
  RESOURCE_EXHAUSTION: 'the aliases would make the document too large',
  TAB_AS_INDENT: 'a tab is used as indentation; YAML takes spaces only',
  TAG_RESOLVE_FAILED: 'a tag (!name) is not one that is known',
  UNEXPECTED_TOKEN:
    'something is here that cannot follow what is before it; perhaps a quote, a comma or a bracket is missing',
} as const

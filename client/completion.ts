import type { Command, Option } from 'commander';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

interface Verb {
  name: string;
  summary: string;
  options: Option[];
  /** Whether its first argument is a file. */
  takesFile: boolean;
}

/** A completion script made of the program's own verbs and options, so it never falls behind. */
export function completionScript(shell: Shell, program: Command): string {
  const verbs = program.commands.map((command) => ({
    name: command.name(),
    summary: command.summary(),
    options: [...command.options, ...program.options.filter((each) => each.long !== '--version')],
    takesFile: command.registeredArguments[0]?.name().endsWith('.yaml') === true,
  }));
  if (shell === 'bash') return bash(verbs);
  return shell === 'zsh' ? zsh(verbs) : fish(verbs);
}

function flags(verb: Verb): string[] {
  return verb.options
    .flatMap((option) => [option.long, option.short])
    .filter((flag): flag is string => typeof flag === 'string');
}

function bash(verbs: readonly Verb[]): string {
  const cases = verbs.map(({ name, takesFile, ...rest }) => {
    const files = takesFile ? '\n      [[ "$word" == -* ]] || COMPREPLY+=($(compgen -f -- "$word"))' : '';
    return `    ${name})\n      COMPREPLY=($(compgen -W "${flags({ name, takesFile, ...rest }).join(' ')}" -- "$word"))${files}\n      ;;`;
  });
  return `# bash completion for shardlift
_shardlift() {
  local word="\${COMP_WORDS[COMP_CWORD]}" verb="" each
  for each in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$each" in -*) ;; *) verb="$each"; break ;; esac
  done
  case "\${COMP_WORDS[COMP_CWORD-1]}" in
    -o|--output) COMPREPLY=($(compgen -W "table json yaml" -- "$word")); return ;;
    --dir|--out) COMPREPLY=($(compgen -f -- "$word")); return ;;
  esac
  case "$verb" in
    "") COMPREPLY=($(compgen -W "${verbs.map(({ name }) => name).join(' ')} --help --version" -- "$word")) ;;
${cases.join('\n')}
  esac
}
complete -o filenames -F _shardlift shardlift
`;
}

/** Inside single quotes only the quote itself means something. */
function quoted(text: string): string {
  return text.replaceAll("'", "'\\''");
}

function zsh(verbs: readonly Verb[]): string {
  // Brackets and colons have a meaning of their own in the specifications of _arguments and _describe.
  const plain = (text: string) => quoted(text.replace(/[[\]]/g, '').replaceAll(':', ' '));
  const list = verbs.map(({ name, summary }) => `    '${name}:${plain(summary)}'`).join('\n');
  const cases = verbs.map((verb) => {
    const specs = verb.options
      .filter((option) => option.long)
      .map((option) => {
        const values = option.argChoices ? `(${option.argChoices.join(' ')})` : '';
        const argument = option.required ? `:${plain(option.attributeName())}:${values || '_files'}` : '';
        return `        '${option.long}[${plain(option.description)}]${argument}'`;
      });
    const first = verb.takesFile ? " '*:file:_files'" : '';
    return `      ${verb.name})\n        _arguments \\\n${specs.join(' \\\n')}${first}\n        ;;`;
  });
  return `#compdef shardlift
_shardlift() {
  local -a verbs
  verbs=(
${list}
  )
  if (( CURRENT == 2 )); then
    _describe 'verb' verbs
  else
    case "$words[2]" in
${cases.join('\n')}
    esac
  fi
}
compdef _shardlift shardlift
`;
}

function fish(verbs: readonly Verb[]): string {
  const names = verbs.map(({ name }) => name).join(' ');
  const lines = verbs.flatMap((verb) => [
    `complete -c shardlift -n 'not __fish_seen_subcommand_from ${names}' -a ${verb.name} -d '${quoted(verb.summary)}'`,
    ...(verb.takesFile ? [`complete -c shardlift -n '__fish_seen_subcommand_from ${verb.name}' -F`] : []),
    ...verb.options
      .filter((option) => option.long)
      .map((option) => {
        const short = option.short ? ` -s ${option.short.slice(1)}` : '';
        const values = option.argChoices ? ` -a '${option.argChoices.join(' ')}'` : '';
        const needs = option.required ? ' -r' : '';
        return `complete -c shardlift -n '__fish_seen_subcommand_from ${verb.name}' -l ${option.long?.slice(2)}${short}${needs}${values} -d '${quoted(option.description)}'`;
      }),
  ]);
  return `# fish completion for shardlift\ncomplete -c shardlift -f\n${lines.join('\n')}\n`;
}

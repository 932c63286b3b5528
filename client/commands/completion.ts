import { Argument, type Command } from 'commander';
import { completionScript, shells, type Shell } from '../completion';
import { exitCodes } from '../exit-codes';
import type { CarryOut } from '../program';
import { examples } from './help';

export function addCompletionVerb(program: Command, carryOut: CarryOut): void {
  program
    .command('completion')
    .summary('completion of verbs and options for a shell')
    .description('Prints a script that teaches a shell the verbs and options of this version.')
    .addArgument(new Argument('<shell>', 'the shell').choices(shells))
    .addHelpText(
      'after',
      examples(
        ['shardlift completion bash > /etc/bash_completion.d/shardlift', ''],
        ['shardlift completion zsh > ~/.zfunc/_shardlift', 'with ~/.zfunc in fpath'],
        ['shardlift completion fish > ~/.config/fish/completions/shardlift.fish', ''],
      ),
    )
    .action((shell: Shell, _options: unknown, command: Command) =>
      carryOut(command, async (session) => {
        session.io.stdout.write(completionScript(shell, program));
        return exitCodes.done;
      }),
    );
}

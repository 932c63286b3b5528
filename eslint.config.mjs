import { builtinModules } from 'node:module';
import js from '@eslint/js';
import prettier from 'eslint-config-prettier';
import tseslint from 'typescript-eslint';

/** Node's own modules, with and without their prefix. */
const nodeBuiltins = builtinModules.flatMap((name) => [name, `node:${name}`]);

/** A folder may import only from the folders named here (and from packages). ARCHITECTURE.md has the picture. */
function mayImport(
  folder,
  allowed,
  all = ['contracts', 'workflows', 'activities', 'worker', 'client', 'lab', 'bench', 'test'],
) {
  const banned = all.filter((other) => other !== folder && !allowed.includes(other));
  return {
    files: [`${folder}/**/*.ts`],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: `^(\\.\\./)+(${banned.join('|')})(/|$)`,
              message: `${folder}/ may not import from there: see "Which folder may import which" in ARCHITECTURE.md`,
            },
          ],
        },
      ],
    },
  };
}

export default tseslint.config(
  { ignores: ['dist/', 'dist.new-*/', 'node_modules/', 'coverage/'] },
  js.configs.recommended,
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['*.mjs', '*.cjs'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      eqeqeq: 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/require-await': 'off',
      // Our objects are closures, not classes with state: none of their methods needs `this`.
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  mayImport('contracts', []),
  mayImport('activities', ['contracts']),
  mayImport('worker', ['contracts', 'activities', 'workflows']),
  mayImport('client', ['contracts', 'worker']),
  mayImport('lab', ['contracts']),
  {
    // Workflow code is replayed: it may not see the clock, chance, the process or anything of Node's.
    files: ['workflows/**/*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          paths: nodeBuiltins.map((name) => ({ name, message: 'workflow code is replayed: no Node built-ins' })),
          patterns: [
            {
              regex: '^(\\.\\./)+(worker|client|lab|bench|test)(/|$)',
              message: 'workflows/ may import contracts/, and types of activities/',
            },
            {
              regex: '^(\\.\\./)+activities(/|$)',
              allowTypeImports: true,
              message: 'workflows/ may import only types from activities/',
            },
          ],
        },
      ],
      'no-restricted-globals': [
        'error',
        ...['process', 'Buffer', 'fetch', 'require', 'performance', 'crypto'].map((name) => ({
          name,
          message: 'workflow code is replayed and must be deterministic',
        })),
      ],
      'no-restricted-properties': [
        'error',
        {
          object: 'Math',
          property: 'random',
          message: 'use uuid4() of @temporalio/workflow, in an activity if it can be',
        },
        { object: 'Date', property: 'now', message: 'take the time from workflowInfo() or an activity' },
      ],
      'no-restricted-syntax': [
        'error',
        {
          selector: "NewExpression[callee.name='Date'][arguments.length=0]",
          message: 'take the time from workflowInfo() or an activity',
        },
      ],
    },
  },
  {
    files: ['**/*.cjs', '**/*.mjs'],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: {
      globals: {
        require: 'readonly',
        module: 'readonly',
        process: 'readonly',
        console: 'readonly',
        __dirname: 'readonly',
        setTimeout: 'readonly',
      },
    },
    rules: { '@typescript-eslint/no-require-imports': 'off' },
  },
  prettier,
);

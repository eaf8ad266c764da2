import eslint from '@eslint/js';
import tseslint from 'typescript-eslint';

/** What scripts and tests use of the platform. */
const PLATFORM = [
  'AbortController', 'BroadcastChannel', 'Buffer', 'ReadableStream', 'Response', 'TextEncoder', 'URL', 'clearTimeout',
  'console', 'fetch', 'performance', 'process', 'setImmediate', 'setTimeout',
];

export default tseslint.config(
  { ignores: ['dist/'] },
  eslint.configs.recommended,
  {
    files: ['src/**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
    },
  },
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: { 'no-console': ['error', { allow: ['error'] }], eqeqeq: 'error', 'prefer-const': 'error' },
  },
  {
    files: ['tests/browser/**'],
    languageOptions: { globals: { window: 'readonly' } },
  },
  {
    files: ['scripts/**', 'tests/**', '*.js'],
    languageOptions: {
      globals: Object.fromEntries(PLATFORM.map((name) => [name, 'readonly'])),
    },
  },
);

;;; help-test.el --- Manual and customization  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Whoever asks for help gets there: the manual opens from the menu and from
;; the customization group, and each of its nodes and links can be followed.

;;; Code:

(require 'test-helper)
(require 'cus-edit)
(require 'info)

(ert-deftest help-test-the-manual-opens ()
  (unwind-protect
      (progn
        (meta-log-peer-sync-manual)
        (should (derived-mode-p 'Info-mode))
        (should (equal "Top" Info-current-node))
        (should (search-forward "This is the manual of the Emacs package" nil t))
        ;; From node to node, and along every reference.
        (let ((nodes '("Top")) (seen nil))
          (while nodes
            (let ((node (pop nodes)))
              (unless (member node seen)
                (push node seen)
                (Info-goto-node node)
                (goto-char (point-min))
                (forward-line 1)
                (while (re-search-forward "^\\* \\([A-Z][^:\n]*\\)::" nil t)
                  (push (match-string-no-properties 1) nodes))
                (goto-char (point-min))
                (while (re-search-forward "\\*[Nn]ote[ \n]+\\([^:]+\\)::" nil t)
                  (push (match-string-no-properties 1) nodes)))))
          (should (member "Safety" seen))
          (should (> (length seen) 18)))
        (Info-goto-node "Top")
        (Info-index "meta-log-peer-sync-sync-file")
        (should (equal "Commands" Info-current-node))
        (should (looking-at-p ".*meta-log-peer-sync-sync-file")))
    (when (get-buffer "*info*") (kill-buffer "*info*"))))

(ert-deftest help-test-the-group-leads-to-the-manual ()
  (unwind-protect
      (progn
        (meta-log-peer-sync-customize)
        (goto-char (point-min))
        (should (search-forward "See also" nil t))
        (should (search-forward "Manual" nil t))
        (backward-char 2)
        (widget-button-press (point))
        (should (derived-mode-p 'Info-mode))
        (should (equal "Top" Info-current-node)))
    (dolist (buffer (buffer-list))
      (when (with-current-buffer buffer (derived-mode-p 'Custom-mode 'Info-mode))
        (kill-buffer buffer)))))

(provide 'help-test)
;;; help-test.el ends here
